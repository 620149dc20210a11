//! Source code that no distributor has put where it is, by the suffix of its name.

/// Where distributors and package managers put code of others.
const OTHERS: [&[u8]; 14] = [
    b"/usr/",
    b"/lib",
    b"/boot/",
    b"/snap/",
    b"/proc/",
    b"/sys/",
    b"/etc/",
    b"/var/lib/",
    b"/node_modules/",
    b"/site-packages/",
    b"/dist-packages/",
    b"/vendor/",
    b"/.cargo/registry/",
    b"/.git/",
];

/// The language of a file of source code.
pub fn language(name: &[u8]) -> Option<&'static str> {
    let others = |folder: &&[u8]| match *folder {
        top @ (b"/usr/" | b"/lib" | b"/boot/" | b"/snap/" | b"/proc/" | b"/sys/" | b"/etc/"
        | b"/var/lib/") => name.starts_with(top),
        part => memchr::memmem::find(name, part).is_some(),
    };
    if OTHERS.iter().any(others) {
        return None;
    }
    let dot = memchr::memrchr(b'.', name)?;
    let suffix = name.get(dot.saturating_add(1)..)?;
    Some(match suffix {
        b"py" => "Python",
        b"js" | b"mjs" | b"cjs" | b"jsx" => "JavaScript",
        b"ts" | b"tsx" => "TypeScript",
        b"go" => "Go",
        b"rs" => "Rust",
        b"java" => "Java",
        b"kt" | b"kts" => "Kotlin",
        b"scala" => "Scala",
        b"rb" => "Ruby",
        b"php" => "PHP",
        b"cs" => "C#",
        b"c" | b"h" => "C",
        b"cc" | b"cpp" | b"cxx" | b"hpp" => "C++",
        b"swift" => "Swift",
        b"sh" | b"bash" => "Shell",
        b"ps1" | b"psm1" => "PowerShell",
        b"pl" | b"pm" => "Perl",
        b"tf" => "Terraform",
        b"lua" => "Lua",
        b"ex" | b"exs" => "Elixir",
        b"r" | b"R" => "R",
        b"ipynb" => "Jupyter",
        b"vue" => "Vue",
        _ => return None,
    })
}
