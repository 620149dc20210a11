//! `amisweep demo`: scan the bundled image as an AMI, through the real AWS SDK over loopback HTTP.

use super::aws::{self, Asked};
use super::scan;
use super::session::Session;
use crate::bytes::ReadAt;
use crate::emulator::{Ami, Config, Emulator, Snapshot};
use crate::error::{Error, ErrorKind, Result};
use crate::image::ebs::Runtime;
use clap::Parser;
use std::io::Read;
use std::sync::Arc;

/// The bundled image: a small cloud server's disk with secrets planted in every kind of place.
const IMAGE: &[u8] = include_bytes!("../../testdata/images/demo.img.zst");

/// Larger than the bundled image will ever be.
const IMAGE_BYTES_MAX: u64 = 1 << 30;

const AMI: &str = "ami-0de30de30de30de30";
const SNAPSHOT: &str = "snap-0de30de30de30de30";

/// Scan the bundled image as an AMI: a loopback endpoint stands in for AWS, all else is real.
///
/// Takes the same options as `scan`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Options for the scan, such as -f json.
    #[arg(value_name = "SCAN OPTION", num_args = 0.., allow_hyphen_values = true, trailing_var_arg = true)]
    options: Vec<String>,
}

#[derive(Parser)]
#[command(name = "amisweep demo", no_binary_name = true)]
struct Scan {
    #[command(flatten)]
    args: scan::Args,
}

pub(super) fn run(args: &Args) -> Result<u8> {
    let words = [AMI.to_owned()].into_iter().chain(args.options.iter().cloned());
    let scan = match Scan::try_parse_from(words) {
        Ok(scan) => scan.args,
        Err(error) => {
            let _ = error.print();
            return Ok(if error.use_stderr() { super::EXIT_USAGE } else { 0 });
        }
    };
    let engines = scan.rules.engines(scan.quiet)?;
    let image: Arc<dyn ReadAt> = Arc::new(bundled()?);
    let emulator = Emulator::start(Config {
        snapshots: vec![Snapshot::from_bytes(SNAPSHOT, image)],
        amis: vec![Ami::new(AMI, &[SNAPSHOT])],
        ..Config::default()
    })?;
    if !scan.quiet {
        super::say(&format!(
            "demo: the bundled image is served as {AMI} at {}; what follows is `amisweep scan \
             {AMI}`",
            emulator.endpoint()
        ));
    }
    let runtime = Arc::new(Runtime::new()?);
    let config = runtime.block_on(async { Ok(loopback(&emulator).await) })?;
    let session = Session::over(runtime, &config, aws::options(&scan));
    match aws::through(&scan, &session)? {
        Asked::Opened(opened) => scan::finish(&scan, opened, engines),
        Asked::Estimated { .. } | Asked::Elsewhere => Ok(0),
    }
}

/// The configuration that leads to the emulator, whatever the environment says.
async fn loopback(emulator: &Emulator) -> aws_config::SdkConfig {
    let credentials =
        aws_sdk_ebs::config::Credentials::new("demo", "demo", None, None, "amisweep demo");
    aws_config::defaults(aws_config::BehaviorVersion::latest())
        .region(aws_config::Region::new("us-east-1"))
        .credentials_provider(credentials)
        .endpoint_url(emulator.endpoint())
        .load()
        .await
}

fn bundled() -> Result<Vec<u8>> {
    let broken = "the bundled image does not decompress";
    let mut decoder = ruzstd::decoding::StreamingDecoder::new(IMAGE)
        .map_err(|cause| Error::new(ErrorKind::Internal, broken).detail(cause))?;
    let mut bytes = Vec::new();
    let read = decoder.by_ref().take(IMAGE_BYTES_MAX).read_to_end(&mut bytes);
    read.map_err(|cause| Error::new(ErrorKind::Internal, broken).caused_by(cause))?;
    Ok(bytes)
}
