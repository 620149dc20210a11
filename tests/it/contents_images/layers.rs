//! Images of containers: in archives, in layouts and in the stores of the engines.

use super::{gzip, is_deep, members, places, shell, tar, token, tree};
use std::fs;
use std::path::Path;

const TOLD: &[&str] = &["container", "image", "layer", "layer_number", "snapshot"];

fn write(root: &Path, path: &str, bytes: impl AsRef<[u8]>) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).open(path).unwrap();
    std::io::Write::write_all(&mut file, bytes.as_ref()).unwrap();
}

fn env(seed: u64) -> String {
    format!("GITHUB_TOKEN={}\n", token(seed))
}

#[test]
fn a_secret_deleted_in_an_upper_layer_is_found_in_the_lower() {
    let lower =
        tar(&[("etc/app.env", &env(1)), ("etc/old.env", &env(2)), ("srv/kept.env", &env(3))]);
    let upper = tar(&[("etc/.wh.app.env", ""), ("etc/old.env", &env(4))]);
    let manifest = r#"[{"Config":"c.json","RepoTags":["shop/app:1"],
        "Layers":["aa/layer.tar","bb/layer.tar"]}]"#;
    let text = |bytes: &[u8]| bytes.to_vec();
    let image = tar(&[
        ("aa/layer.tar", &text(&lower)),
        ("bb/layer.tar", &text(&upper)),
        ("manifest.json", &text(manifest.as_bytes())),
    ]);
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "srv/app.tar", &image);
    write(dir.path(), "srv/app.tgz", gzip(&image));
    let outcome = tree(dir.path());
    for (seed, at, layer, number) in [
        (1, "aa/layer.tar!tar:etc/app.env", "lower (deleted in layer 2)", 1),
        (2, "aa/layer.tar!tar:etc/old.env", "lower (replaced in layer 2)", 1),
        (3, "aa/layer.tar!tar:srv/kept.env", "top", 1),
        (4, "bb/layer.tar!tar:etc/old.env", "top", 2),
    ] {
        let facts = format!("image=shop/app:1, layer={layer}, layer_number={number} of 2");
        let expected = [
            format!("tree:srv/app.tar!tar:{at} {facts}"),
            format!("tree:srv/app.tgz!gzip!tar:{at} {facts}"),
        ];
        assert_eq!(members(&outcome, &token(seed), TOLD), expected, "{seed}");
    }
}

#[test]
fn a_layout_of_the_oci_is_read_in_an_archive_and_in_a_directory() {
    let [index, manifest, low, high] = ["1", "2", "3", "4"].map(|digit| digit.repeat(64));
    let blob = |hex: &str| format!("blobs/sha256/{hex}");
    let json = |list: &str, digests: &[&str], more: &str| {
        let items: Vec<String> =
            digests.iter().map(|hex| format!(r#"{{"digest":"sha256:{hex}"{more}}}"#)).collect();
        format!(r#"{{"schemaVersion":2,"{list}":[{}]}}"#, items.join(","))
    };
    let name = r#","annotations":{"io.containerd.image.name":"reg.test/a:2"}"#;
    let files: Vec<(String, Vec<u8>)> = vec![
        ("oci-layout".into(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
        ("index.json".into(), json("manifests", &[&index], name).into()),
        (blob(&index), json("manifests", &[&manifest], "").into()),
        (blob(&manifest), json("layers", &[&low, &high], "").into()),
        (blob(&low), gzip(&tar(&[("root/.ssh/token", &env(5))]))),
        (blob(&high), gzip(&tar(&[("root/.wh..ssh", "")]))),
    ];
    let dir = tempfile::tempdir().unwrap();
    for (path, bytes) in &files {
        write(dir.path(), &format!("content/{path}"), bytes);
    }
    let inside: Vec<(&str, &Vec<u8>)> = files.iter().map(|(path, b)| (&**path, b)).collect();
    write(dir.path(), "image.tar", tar(&inside));
    let facts = "image=reg.test/a:2, layer=lower (deleted in layer 2), layer_number=1 of 2";
    let layer = format!("{}!gzip!tar:root/.ssh/token {facts}", blob(&low));
    assert_eq!(
        places(&tree(dir.path()), &token(5), TOLD),
        [format!("tree:content/{layer}"), format!("tree:image.tar!tar:{layer}")]
    );
}

/// What each engine keeps, with the whiteouts that need root only where they may be made.
fn store(root: &Path) {
    let docker = "var/lib/docker";
    for (path, text) in [
        ("overlay2/low/link", "LLL"),
        ("overlay2/rw/link", "RRR"),
        ("overlay2/rw/lower", "l/LLL"),
        ("image/overlay2/layerdb/mounts/4711/mount-id", "rw"),
        ("containers/4711/config.v2.json", r#"{"Name":"/web","Config":{"Image":"a"}}"#),
    ] {
        write(root, &format!("{docker}/{path}"), text);
    }
    write(root, &format!("{docker}/overlay2/low/diff/etc/app.env"), env(6));
    write(root, &format!("{docker}/overlay2/low/diff/etc/old.env"), env(7));
    write(root, &format!("{docker}/overlay2/rw/diff/etc/old.env"), env(8));
    let podman = "var/lib/containers/storage";
    for (path, text) in [
        ("overlay/one/link", "ONE"),
        ("overlay/two/link", "TWO"),
        ("overlay/two/lower", "l/ONE"),
        ("overlay-images/images.json", r#"[{"id":"x","names":["reg.test/p:3"],"layer":"two"}]"#),
    ] {
        write(root, &format!("{podman}/{path}"), text);
    }
    write(root, &format!("{podman}/overlay/one/diff/srv/app.env"), env(9));
    write(root, &format!("{podman}/overlay/two/diff/srv/.wh.app.env"), "");
}

#[test]
fn stores_of_engines_are_put_together() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path());
    let outcome = tree(dir.path());
    let docker = "tree:var/lib/docker/overlay2";
    for (seed, expected) in [
        (6, format!("{docker}/low/diff/etc/app.env container=web, layer=top")),
        (
            7,
            format!(
                "{docker}/low/diff/etc/old.env container=web, layer=lower (replaced in container web)"
            ),
        ),
        (8, format!("{docker}/rw/diff/etc/old.env container=web, layer=top")),
        (
            9,
            "tree:var/lib/containers/storage/overlay/one/diff/srv/app.env image=reg.test/p:3, \
             layer=lower (deleted in layer 2), layer_number=1 of 2"
                .to_owned(),
        ),
    ] {
        assert_eq!(places(&outcome, &token(seed), TOLD), [expected], "{seed}");
    }
}

/// The kernel's overlay makes the whiteouts, on ext4; needs root.
#[test]
fn deep_whiteouts_of_the_kernel_are_read_on_a_disk() {
    if !is_deep() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let script = "
        truncate -s 64M disk
        mkfs.ext4 -q -F disk
        mkdir mnt
        mount -o loop disk mnt
        trap 'umount mnt/merged 2>/dev/null || true; umount mnt' EXIT
        cd mnt
        mkdir -p var/lib/docker/overlay2/low/diff/{etc,opt/dir} merged
        mkdir -p var/lib/docker/overlay2/rw/{diff,work}
        cd var/lib/docker/overlay2
        printf LLL >low/link
        printf RRR >rw/link
        printf l/LLL >rw/lower
        printf 'GITHUB_TOKEN=%s\\n' \"$DELETED\" >low/diff/etc/app.env
        printf 'GITHUB_TOKEN=%s\\n' \"$HIDDEN\" >low/diff/opt/dir/app.env
        printf 'GITHUB_TOKEN=%s\\n' \"$KEPT\" >low/diff/etc/kept.env
        merged=$OLDPWD/merged
        mount -t overlay overlay -o lowerdir=low/diff,upperdir=rw/diff,workdir=rw/work \"$merged\"
        rm \"$merged/etc/app.env\"
        rm -r \"$merged/opt/dir\"
        mkdir \"$merged/opt/dir\"
        umount \"$merged\"
        cd ../../../../..
        sync -f mnt
    ";
    let [deleted, hidden, kept] = [11, 12, 13].map(token);
    let variables = [("DELETED", &*deleted), ("HIDDEN", &*hidden), ("KEPT", &*kept)];
    shell(dir.path(), script, &variables);
    let image = amisweep::image::raw::open(
        &dir.path().join("disk"),
        amisweep::run::ImageNo(0),
        "disk".into(),
    );
    let outcome = super::swept(amisweep::sweep::Target::Images(vec![image.unwrap()]));
    for (secret, path, layer) in [
        (deleted, "etc/app.env", "lower (deleted in layer 2)"),
        (hidden, "opt/dir/app.env", "lower (deleted in layer 2)"),
        (kept, "etc/kept.env", "top"),
    ] {
        let found = places(&outcome, &secret, &["layer"]);
        let expected = format!("disk:/var/lib/docker/overlay2/low/diff/{path} layer={layer}");
        assert!(found.contains(&expected), "{found:?}");
    }
}

/// An image that buildah builds and skopeo copies to every form; needs both.
#[test]
fn deep_images_of_the_real_tools_are_read() {
    if !is_deep() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let script = "
        mkdir work && cd work
        umoci init --layout img
        umoci new --image img:base
        umoci unpack --rootless --image img:base one
        mkdir -p one/rootfs/etc
        printf 'GITHUB_TOKEN=%s\\n' \"$DELETED\" >one/rootfs/etc/app.env
        printf 'GITHUB_TOKEN=%s\\n' \"$KEPT\" >one/rootfs/etc/kept.env
        umoci repack --image img:base one
        umoci unpack --rootless --image img:base two
        rm two/rootfs/etc/app.env
        umoci repack --image img:final two
        cd ..
        mkdir out
        skopeo copy -q oci:work/img:final oci-archive:out/oci.tar:final
        skopeo copy -q oci:work/img:final docker-archive:out/docker.tar:shop/app:1
        skopeo copy -q oci:work/img:final oci:out/layout:final
        rm -r work
    ";
    let [deleted, kept] = [21, 22].map(token);
    shell(dir.path(), script, &[("DELETED", &deleted), ("KEPT", &kept)]);
    let outcome = tree(&dir.path().join("out"));
    let found = members(&outcome, &deleted, TOLD);
    assert_eq!(found.len(), 3, "{found:?}");
    for at in &found {
        let facts = "image=docker.io/shop/app:1 | final, layer=lower (deleted in layer 2), \
                     layer_number=1 of 2";
        assert!(at.ends_with(facts) && at.contains("tar:etc/app.env"), "{at}");
    }
    let found = members(&outcome, &kept, TOLD);
    assert!(found.len() == 3 && found.iter().all(|at| at.contains("layer=top")), "{found:?}");
}
