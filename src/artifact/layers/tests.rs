//! Layers, from the text of descriptions to what is told of a finding.

use super::*;
use crate::blob::{Change, Meta};
use std::borrow::Cow;

/// The clues that files leave: each is a locator and a text.
fn clues(files: &[(&str, &str)]) -> Vec<Clue> {
    let mut clues = Vec::new();
    for (at, text) in files {
        let at: Locator = at.parse().unwrap();
        let last = at.members.last().and_then(|member| member.name.clone());
        let name = last.unwrap_or_else(|| at.path().unwrap().into());
        let blob = Blob {
            at,
            name: Cow::Owned(name.into()),
            meta: Meta::default(),
            bytes: Cow::Borrowed(text.as_bytes()),
            decoded_from: None,
        };
        assert!(applies(&blob), "{}", blob.at);
        let mut leave = |out: Out<'_>| match out {
            Out::Clue(clue) => clues.push(clue),
            other => panic!("{other:?}"),
        };
        run(&blob, &mut Budget::default(), &mut leave).unwrap();
    }
    clues
}

fn layer(at: &str, paths: &[(&str, Entry)], clues: &mut Vec<Clue>) {
    let mut layer = Layer::default();
    for (path, entry) in paths {
        layer.add(path.as_bytes(), *entry);
    }
    layer.clues(&at.parse().unwrap(), true, &mut |clue| clues.push(clue));
}

/// What is told of something found at `at`, as `name=value` in order.
fn told(mut clues: Vec<Clue>, at: &str) -> String {
    let at: Locator = at.parse().unwrap();
    let (key, value) = (Box::default(), Box::default());
    clues.push(Clue { kind: FOUND, at: at.clone(), key, value });
    clues.sort_unstable();
    let mut facts = Vec::new();
    (JOIN.run)(&clues, &mut |change| match change {
        Change::Fact { at: there, name, value } => {
            assert_eq!(there, at);
            facts.push(format!("{name}={value}"));
        }
        Change::Match { .. } | Change::View { .. } => panic!("layers find nothing"),
    });
    facts.join("; ")
}

#[test]
fn an_archive_of_docker_save_tells_what_is_hidden() {
    let manifest = r#"[{"Config":"c.json","RepoTags":["shop/app:1","shop/app:latest"],
        "Layers":["aa/layer.tar","bb/layer.tar","cc/layer.tar"]}]"#;
    let mut clues = clues(&[("d:/img.tar!tar:manifest.json", manifest)]);
    layer("d:/img.tar!tar:bb/layer.tar", &[("etc/.wh.app.env", Entry::File)], &mut clues);
    let more = [("opt/.wh..wh..opq", Entry::File), ("etc/conf", Entry::File)];
    layer("d:/img.tar!tar:cc/layer.tar", &more, &mut clues);
    for (path, expected) in [
        ("etc/app.env", "lower (deleted in layer 2)"),
        ("./etc/app.env", "lower (deleted in layer 2)"),
        ("etc/app.env/below", "lower (deleted in layer 2)"),
        ("etc/app.environment", "top"),
        ("etc/conf", "lower (replaced in layer 3)"),
        ("opt/a/b", "lower (deleted in layer 3)"),
        ("opt", "top"),
    ] {
        let expected = format!(
            "image=shop/app:1; image=shop/app:latest; layer={expected}; layer_number=1 of 3"
        );
        let at = format!("d:/img.tar!tar:aa/layer.tar!tar:{path}");
        assert_eq!(told(clues.clone(), &at), expected, "{path}");
    }
    assert_eq!(told(clues, "d:/img.tar!tar:other!tar:etc/app.env"), "");
}

#[test]
fn a_layout_of_the_oci_is_followed_from_its_index() {
    let [index, manifest, low, high] = ["1", "2", "3", "4"].map(|digit| digit.repeat(64));
    let name = "io.containerd.image.name";
    let files = [
        (
            "index.json".to_owned(),
            format!(
                r#"{{"manifests":[{{"digest":"sha256:{index}","annotations":{{"{name}":"reg.test/a:2"}}}}]}}"#
            ),
        ),
        (
            format!("blobs/sha256/{index}"),
            format!(r#"{{"manifests":[{{"digest":"sha256:{manifest}"}}]}}"#),
        ),
        (
            format!("blobs/sha256/{manifest}"),
            format!(r#"{{"layers":[{{"digest":"sha256:{low}"}},{{"digest":"sha256:{high}"}}]}}"#),
        ),
    ];
    // In an archive, and in a directory.
    for (base, inside) in [("d:/i.tar!gzip!tar:", "!gzip!tar:"), ("d:/store/", "!gzip!tar:")] {
        let files: Vec<(String, String)> =
            files.iter().map(|(at, text)| (format!("{base}{at}"), text.clone())).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(a, t)| (&**a, &**t)).collect();
        let mut clues = clues(&files);
        let upper = format!("{base}blobs/sha256/{high}!gzip");
        layer(&upper, &[("root/.wh..ssh", Entry::File)], &mut clues);
        let at = format!("{base}blobs/sha256/{low}{inside}root/.ssh/id_rsa");
        let expected = "image=reg.test/a:2; layer=lower (deleted in layer 2); layer_number=1 of 2";
        assert_eq!(told(clues, &at), expected, "{at}");
    }
}

#[test]
fn the_store_of_docker_is_put_together() {
    let [chain, diff, config] = ["a", "b", "c"].map(|digit| digit.repeat(64));
    let base = "d:/var/lib/docker";
    let files = [
        ("overlay2/low/link", "LLL".to_owned()),
        ("overlay2/mid/link", "MMM".to_owned()),
        ("overlay2/mid/lower", "l/LLL".to_owned()),
        ("overlay2/rw/link", "RRR".to_owned()),
        ("overlay2/rw/lower", "l/MMM:l/LLL".to_owned()),
        ("image/overlay2/layerdb/sha256/CHAIN/cache-id", "low".to_owned()),
        ("image/overlay2/layerdb/sha256/CHAIN/diff", format!("sha256:{diff}")),
        (
            "image/overlay2/imagedb/content/sha256/CONFIG",
            format!(r#"{{"rootfs":{{"type":"layers","diff_ids":["sha256:{diff}"]}}}}"#),
        ),
        (
            "image/overlay2/repositories.json",
            format!(r#"{{"Repositories":{{"app":{{"app:1":"sha256:{config}"}}}}}}"#),
        ),
        ("image/overlay2/layerdb/mounts/4711/mount-id", "rw".to_owned()),
        ("containers/4711/config.v2.json", r#"{"Name":"/web","Config":{}}"#.to_owned()),
    ];
    let files: Vec<(String, String)> = files
        .iter()
        .map(|(at, text)| (at.replace("CHAIN", &chain).replace("CONFIG", &config), text))
        .map(|(at, text)| (format!("{base}/{at}"), text.clone()))
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(a, t)| (&**a, &**t)).collect();
    let mut clues = clues(&files);
    layer(&format!("{base}/overlay2/mid/diff"), &[("etc/conf", Entry::File)], &mut clues);
    let own = [("etc/key", Entry::Whiteout), ("srv", Entry::Opaque)];
    layer(&format!("{base}/overlay2/rw/diff"), &own, &mut clues);
    for (layer, path, expected) in [
        ("low", "etc/key", "lower (deleted in container web)"),
        ("low", "srv/x", "lower (deleted in container web)"),
        ("low", "srv", "top"),
        ("mid", "etc/conf", "top"),
        ("low", "etc/conf", "lower (replaced in layer 2)"),
    ] {
        let expected = format!("container=web; image=app:1; layer={expected}");
        let at = format!("{base}/overlay2/{layer}/diff/{path}");
        assert_eq!(told(clues.clone(), &at), expected, "{at}");
    }
    let at = format!("{base}/overlay2/rw/diff/etc/new");
    assert_eq!(told(clues, &at), "container=web; layer=top");
}

#[test]
fn snapshots_of_containerd_are_told() {
    let base = "d:/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots";
    let mut clues = Vec::new();
    layer(&format!("{base}/3/fs"), &[("etc/key", Entry::File)], &mut clues);
    layer(&format!("{base}/5/fs"), &[("etc/key", Entry::Whiteout)], &mut clues);
    let at = format!("{base}/3/fs/etc/key");
    assert_eq!(told(clues, &at), "layer=lower (deleted in snapshot 5); snapshot=3");
}

#[test]
fn directories_of_stores_are_known() {
    for (path, expected) in [
        ("/var/lib/docker/overlay2/a1/diff/etc/x", Some("/var/lib/docker/overlay2/a1/diff etc/x")),
        ("store/overlay/b/diff/x", Some("store/overlay/b/diff x")),
        ("/home/diff/x", None),
        (
            "/io.containerd.snapshotter.v1.overlayfs/snapshots/7/fs/x",
            Some("/io.containerd.snapshotter.v1.overlayfs/snapshots/7/fs x"),
        ),
        ("/var/lib/docker/overlay2/a1/diff", None),
    ] {
        let found = on_disk(path.as_bytes());
        let found = found.map(|(a, b)| String::from_utf8([a, b" ", b].concat()).unwrap());
        assert_eq!(found.as_deref(), expected, "{path}");
    }
    assert!(is_layer(b"abc/layer.tar") && is_layer("a".repeat(64).as_bytes()));
    assert!(!is_layer(b"/etc/passwd"));
}
