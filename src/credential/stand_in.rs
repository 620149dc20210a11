//! Values that stand where a secret belongs without being one: masked, left to be filled in, or
//! naming the store that keeps it.

/// How often one character follows itself in nothing that a generator writes.
const RUN: usize = 10;

/// What a name of a secret in a store begins with:
/// [1Password](https://developer.1password.com/docs/cli/secret-references/),
/// [Vault](https://bank-vaults.dev/docs/mutating-webhook/configuration/),
/// [vals](https://github.com/helmfile/vals), Spring Cloud for
/// [AWS](https://docs.awspring.io/spring-cloud-aws/docs/3.0.0/reference/html/index.html) and
/// [Google](https://googlecloudplatform.github.io/spring-cloud-gcp/reference/html/secretmanager.html),
/// [App Service](https://learn.microsoft.com/en-us/azure/app-service/app-service-key-vault-references),
/// [CloudFormation](https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html).
const STORES: [&[u8]; 26] = [
    b"op://",
    b"vault:",
    b"vault://",
    b"keyvault:",
    b"akv://",
    b"ssm:/",
    b"ssm://",
    b"awsssm://",
    b"awssm://",
    b"aws-ssm:",
    b"aws-sm:",
    b"aws-secretsmanager:",
    b"aws-parameterstore:",
    b"secretsmanager:",
    b"gcpsm://",
    b"gcp-sm://",
    b"sm://",
    b"ref+",
    b"secretref+",
    b"arn:aws",
    b"@Microsoft.KeyVault(",
    b"{{resolve:",
    b"file:/",
    b"keyring:",
    b"keychain:",
    b"credstash:",
];

/// What code and templates begin with that ask for a value when they run.
const LOOKUPS: [&[u8]; 13] = [
    b"!Ref ",
    b"!Sub ",
    b"!GetAtt ",
    b"!ImportValue ",
    b"!secret ",
    b"!vault",
    b"process.env.",
    b"import.meta.env.",
    b"os.environ",
    b"os.getenv(",
    b"System.getenv(",
    b"getenv(",
    b"env(",
];

/// Whether the secret is kept elsewhere and this names where.
pub fn is_kept_elsewhere(value: &[u8]) -> bool {
    let resource = value.starts_with(b"projects/") && contains(value, b"/secrets/");
    resource || STORES.iter().chain(&LOOKUPS).any(|head| value.starts_with(head))
}

/// Whether what makes the value secret is cut out: one character over and over, asterisks, an
/// ellipsis, `<token>` at its end.
pub fn is_masked(value: &[u8]) -> bool {
    // In base64, `A` over and over is zeroes; some tokens begin with them.
    let is_long = |run: &[u8]| {
        run.len() >= RUN && (run.first() != Some(&b'A') || run.len() >= value.len() / 2)
    };
    value.chunk_by(|a, b| a == b).any(is_long)
        || contains(value, b"****")
        || contains(value, b"xxxxxxxx")
        || contains(value, b"XXXXXXXX")
        || contains(value, "\u{2022}\u{2022}\u{2022}".as_bytes())
        || contains(value, "\u{2026}".as_bytes())
        || value.ends_with(b"...")
        || contains(value, b"EXAMPLE")
        || ends_in_gap(value)
}

/// `glpat-<your token>`: after a prefix at most.
fn ends_in_gap(value: &[u8]) -> bool {
    let Some(inside) = value.strip_suffix(b">") else { return false };
    let Some(open) = inside.iter().rposition(|byte| *byte == b'<') else { return false };
    let (before, gap) = inside.split_at(open);
    let name = gap.get(1..).unwrap_or_default();
    name.len() >= 3
        && name.iter().all(|b| b.is_ascii_alphabetic() || b"_- ".contains(b))
        && (before.is_empty() || before.ends_with(b"-") || before.ends_with(b"_") || open <= 8)
}

/// Whether words say that a value is to be replaced: `replace-with-token`, `change-me-in-production`.
pub fn is_to_be_filled_in(value: &[u8]) -> bool {
    /// Neighbouring words that nobody writes into a real value.
    const PAIRS: [(&str, &str); 17] = [
        ("change", "me"),
        ("change", "this"),
        ("changeme", "in"),
        ("replace", "me"),
        ("replace", "this"),
        ("replace", "with"),
        ("insert", "your"),
        ("enter", "your"),
        ("your", "token"),
        ("your", "secret"),
        ("your", "password"),
        ("your", "api"),
        ("token", "here"),
        ("key", "here"),
        ("password", "here"),
        ("not", "real"),
        ("super", "secret"),
    ];
    /// Words that say it alone.
    const ALONE: [&str; 7] =
        ["fake", "dummy", "placeholder", "redacted", "removed", "changeme", "replaceme"];
    if value.len() > 256 || !value.is_ascii() {
        return false;
    }
    let lower = String::from_utf8_lossy(value).to_ascii_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.iter().any(|word| ALONE.contains(word))
        || words.windows(2).any(|pair| matches!(pair, [a, b] if PAIRS.contains(&(*a, *b))))
}

fn contains(value: &[u8], part: &[u8]) -> bool {
    value.windows(part.len()).any(|at| at == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_and_lookups_are_told_from_values() {
        for value in [
            "op://vault/item/password",
            "vault:secret/data/app#password",
            "projects/1/secrets/db/versions/latest",
            "ref+awsssm://prod/db",
            "file:///run/secrets/db",
            "!Ref DbPassword",
            "process.env.API_KEY",
            "env(\"APP_SECRET\")",
        ] {
            assert!(is_kept_elsewhere(value.as_bytes()), "{value}");
        }
        for value in ["vaulted-Roof7", "Env1ron!", "opX//8", "sm0ke-Detector", "projects/x1"] {
            assert!(!is_kept_elsewhere(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn masks_are_told_from_values() {
        for value in [
            "glrt-aaaaaaaaaaaaaaaaaaaa",
            "dor_v1_************",
            "hvr.CAES...",
            "BBDC-<token>",
            "dapi<token>",
            "AKLTxxxxxxxxx",
            "abc\u{2022}\u{2022}\u{2022}",
        ] {
            assert!(is_masked(value.as_bytes()), "{value}");
        }
        let zeroes = ["AAAAAAAAAAAAAAAAAAAAA", "h7tXOt3rK67m8p938yoJ8AMHuNjr3eG"].concat();
        assert!(!is_masked(zeroes.as_bytes()));
        for value in ["hunter2", "aaaa1111bbbb", "p<a>", "Qx7***Rt", "a..b", "x9<R2>k"] {
            assert!(!is_masked(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn values_to_be_filled_in_are_told_from_values() {
        for value in [
            "REPLACE_WITH_SECRET",
            "change-me-in-production",
            "fake-api-key",
            "my_super_secret_token",
            "this-is-not-real",
        ] {
            assert!(is_to_be_filled_in(value.as_bytes()), "{value}");
        }
        for value in ["Exchange-Me9", "supersonic-secret", "faked1Xy", "Replacement7!", "secret"] {
            assert!(!is_to_be_filled_in(value.as_bytes()), "{value}");
        }
    }
}
