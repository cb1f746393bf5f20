//! `cargo xtask ebook`: the book as a PDF and as an EPUB, by tools that are kept well elsewhere.
//!
//! mdBook makes one document of all pages, with links between them that work: `print.html`. From
//! this `document` makes a document for paper. Pandoc makes the EPUB of it, and WeasyPrint the PDF.

mod complete;
mod document;
mod figures;
mod html;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::{place, read, root, succeeds};
use document::Document;

const HELP: &str = "\
Makes the book anew as a PDF and as an EPUB, in target/ebook.

Usage: cargo xtask ebook [--source]

  --source  only makes the document of which both are made, and looks whether every page, every
            figure and the target of every link is in it: this needs no other tool than mdBook
";

/// The tools, what each is for, and how it is installed: by apt, or else.
const TOOLS: [(&str, &str, &str); 4] = [
    ("mdbook", "makes one document of the pages", MDBOOK),
    ("weasyprint", "makes the PDF", "apt install weasyprint, or brew install weasyprint"),
    ("pandoc", "makes the EPUB", "apt install pandoc, or brew install pandoc"),
    ("epubcheck", "checks the EPUB", "apt install epubcheck, or brew install epubcheck"),
];
const MDBOOK: &str = "cargo install mdbook --version 0.5.4 --locked";

const NAME: &str = "async-from-bricks";
const TITLE: &str = "Async from Bricks";
const AUTHORS: &str = "The Async from Bricks authors";

pub fn ebook(options: &[&str]) -> Result<(), String> {
    match options {
        [] => {
            look_for(&TOOLS)?;
            let folder = source()?;
            pdf(&folder)?;
            epub(&folder)
        }
        ["--source"] => {
            look_for(&TOOLS[..1])?;
            source().map(drop)
        }
        ["--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        _ => Err(format!("{options:?} is not understood\n\n{HELP}")),
    }
}

/// Debian's `epubcheck` is a file that only Java understands: not every system starts it.
fn tool(name: &str) -> Command {
    const JAR: &str = "/usr/share/java/epubcheck.jar";
    let mut tool = Command::new(name);
    if name == "epubcheck" && Path::new(JAR).is_file() {
        tool = Command::new("java");
        tool.args(["-jar", JAR]);
    }
    tool
}

/// All that is missing is told at once.
fn look_for(tools: &[(&str, &str, &str)]) -> Result<(), String> {
    let is_missing = |(name, ..): &&(&str, &str, &str)| {
        let mut tool = tool(name);
        tool.arg("--version").stdin(Stdio::null()).stdout(Stdio::null());
        tool.stderr(Stdio::null()).status().is_err()
    };
    let missing: Vec<String> = tools
        .iter()
        .filter(is_missing)
        .map(|(name, what, how)| format!("  {name:<11} {what}: {how}"))
        .collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(format!("not found, but needed:\n{}", missing.join("\n"))),
    }
}

/// The folder in which the document is, whole.
fn source() -> Result<PathBuf, String> {
    let folder = place::target().join("ebook");
    let html = folder.join("html");
    println!("\nxtask: mdbook build");
    let mut mdbook = Command::new("mdbook");
    mdbook.args(["build", "--dest-dir"]).arg(&html).current_dir(root());
    succeeds(&mut mdbook, "mdbook build")?;
    let print = html.join("print.html");
    let print =
        fs::read_to_string(&print).map_err(|e| format!("{}: {e}", print.display()))?;
    let document = document::assemble(&print, &read("chapters/SUMMARY.md")?)?;
    let defects = complete::check(&document, |page| read(&format!("chapters/{page}")))?;
    if !defects.is_empty() {
        return Err(format!("the document is not whole:\n{}", defects.join("\n")));
    }
    write(&folder, &document)?;
    println!(
        "The document is whole: {} pages, {} figures, {} answers at the ends of chapters.",
        document.pages.len(),
        document.figures.len(),
        document.answers
    );
    Ok(folder)
}

fn write(folder: &Path, document: &Document) -> Result<(), String> {
    let write = |name: &str, text: &str| {
        let file = folder.join(name);
        fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))
    };
    let figures = folder.join("figures");
    let _ = fs::remove_dir_all(&figures);
    fs::create_dir_all(&figures).map_err(|e| format!("{}: {e}", figures.display()))?;
    for (name, svg) in &document.figures {
        write(&format!("figures/{name}"), svg)?;
    }
    for style in ["print.css", "epub.css"] {
        write(style, &read(&format!("xtask/ebook/{style}"))?)?;
    }
    let front = read("xtask/ebook/front.html")?.replace("{DATE}", &date());
    let paper = format!("{front}{}{}", document.contents, document.body);
    write("paper.html", &page("print.css", &paper))?;
    write("epub.html", &page("epub.css", &document.body))
}

fn page(style: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <title>{TITLE}</title>\n<meta name=\"author\" content=\"{AUTHORS}\">\n\
         <link rel=\"stylesheet\" href=\"{style}\">\n</head>\n<body>\n{body}\n</body>\n\
         </html>\n"
    )
}

/// The day of the last change: the same source makes the same book.
fn date() -> String {
    let mut git = Command::new("git");
    git.args(["log", "-1", "--format=%cs"]).current_dir(root()).stderr(Stdio::null());
    let output = git.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).trim().to_string()
}

fn pdf(folder: &Path) -> Result<(), String> {
    let name = format!("{NAME}.pdf");
    let start = Instant::now();
    println!("\nxtask: weasyprint paper.html {name} (a minute or two)");
    let mut weasyprint = Command::new("weasyprint");
    weasyprint.args(["--quiet", "paper.html", &name]).current_dir(folder);
    succeeds(&mut weasyprint, "weasyprint")?;
    println!("{} ({:.0?})", folder.join(name).display(), start.elapsed());
    Ok(())
}

fn epub(folder: &Path) -> Result<(), String> {
    let (name, day) = (format!("{NAME}.epub"), date());
    let mut options: Vec<String> =
        // Its colours come with a style that lets no line of code go on in the next one.
        ["--from=html", "--to=epub3", "--toc", "--toc-depth=2", "--css=epub.css", "--no-highlight"]
            .map(str::to_string)
            .to_vec();
    for (key, value) in [
        ("title", TITLE),
        ("author", AUTHORS),
        ("lang", "en"),
        ("rights", "CC BY 4.0"),
        ("date", day.as_str()),
    ] {
        options.push(format!("--metadata={key}:{value}"));
    }
    println!("\nxtask: pandoc epub.html --output {name}");
    let mut pandoc = Command::new("pandoc");
    pandoc.args(&options).args(["epub.html", "--output", &name]).current_dir(folder);
    succeeds(&mut pandoc, "pandoc")?;
    println!("\nxtask: epubcheck {name}");
    succeeds(tool("epubcheck").arg(&name).current_dir(folder), "epubcheck")?;
    println!("{}", folder.join(name).display());
    Ok(())
}
