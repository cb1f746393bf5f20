//! What a page shows is included from a file that is compiled, recorded or generated, and
//! a listing says which file that is.

use crate::Defects;
use crate::book::{Book, Page, folder};
use crate::includes::{self, Includes};
use crate::markdown::Block;
use crate::players;

/// What is wrong, if something is: the line and what to do about it.
type Checked<T = ()> = Result<T, (usize, String)>;

pub fn check(book: &Book, page: &Page, defects: &mut Defects) {
    let includes = includes::of_page(book, page, defects);
    let blocks = page.text.blocks.iter().map(|block| check_block(page, block, &includes));
    let others = includes.iter().map(|(line, path)| check_other(book, page, *line, path));
    for (line, message) in blocks.chain(others).filter_map(Result::err) {
        defects.add(&page.path, line, message);
    }
    players::check(book, page, &includes, defects);
}

fn check_block(page: &Page, block: &Block, includes: &Includes) -> Checked {
    if !block.is_closed {
        return Err((block.line, "close this block: all below is in it".to_string()));
    }
    let has_include = block.lines.iter().any(|(line, _)| includes.contains_key(line));
    match block.language.as_str() {
        "rust" | "python" | "toml" => check_listing(page, block, includes),
        "sh" if has_include => check_listing(page, block, includes),
        "sh" => check_commands(block),
        "console" => check_generated(block, includes, "sessions", ".txt"),
        "diff" => check_generated(block, includes, "diffs", ".diff"),
        "text" => Ok(()),
        other => {
            let known = "rust, python, toml, sh, console, diff or text";
            Err((block.line, format!("say what this is, {known}, not {other:?}")))
        }
    }
}

/// A listing is included from one file, and the caption above it names the file.
fn check_listing(page: &Page, block: &Block, includes: &Includes) -> Checked {
    let Some(included) = included(block, includes)? else {
        return Ok(());
    };
    let path = included[0].1;
    if let Some((line, other)) = included.iter().find(|(_, other)| *other != path) {
        return Err((*line, format!("give {other} a block of its own: this is {path}")));
    }
    match caption(page, block) {
        None => Err((block.line, format!("name the file in a line above: *{path}*"))),
        Some((_, caption)) if caption == path => Ok(()),
        Some((line, other)) => {
            Err((line, format!("caption what is included: *{path}*, not *{other}*")))
        }
    }
}

/// The lines and paths of the includes that a block consists of; none if one of them is
/// broken, which has been said.
fn included<'a>(
    block: &Block,
    includes: &'a Includes,
) -> Checked<Option<Vec<(usize, &'a str)>>> {
    let mut found = vec![];
    for (line, text) in block.lines.iter().filter(|(_, text)| !text.is_empty()) {
        match includes.get(line) {
            Some(Some(path)) => found.push((*line, path.as_str())),
            Some(None) => return Ok(None),
            None => return Err((*line, format!("include this, do not type it: {text}"))),
        }
    }
    match found.is_empty() {
        true => Err((block.line, "include something here".to_string())),
        false => Ok(Some(found)),
    }
}

/// The path in the nearest `*path*` or `*path: what it is*` in the paragraph above a
/// block, and its line.
fn caption<'a>(page: &'a Page, block: &Block) -> Option<(usize, &'a str)> {
    let above = (1..block.line).rev().skip_while(|line| page.text.is_blank(*line));
    let mut paragraph = above.take_while(|line| !page.text.is_blank(*line));
    paragraph.find_map(|line| {
        let emphasis = page.text.line(line).strip_prefix('*')?.split_once('*')?.0;
        let path = emphasis.split(':').next()?;
        // Neither an item of a list nor something strong.
        (!path.is_empty() && !path.starts_with(' ')).then_some((line, path))
    })
}

/// A block of commands can be pasted as it is.
fn check_commands(block: &Block) -> Checked {
    match block.lines.iter().find(|(_, text)| text.trim().starts_with("$ ")) {
        Some((line, _)) => Err((*line, "write the command without `$ `".to_string())),
        None => Ok(()),
    }
}

/// What a command printed is one file, as it was recorded or generated.
fn check_generated(
    block: &Block,
    includes: &Includes,
    in_folder: &str,
    extension: &str,
) -> Checked {
    let Some(included) = included(block, includes)? else {
        return Ok(());
    };
    if let Some((line, _)) = included.get(1) {
        return Err((*line, "give each file a block of its own".to_string()));
    }
    let (line, path) = included[0];
    match path.starts_with("chapters/") && is_a(path, in_folder, extension) {
        true => Ok(()),
        false => Err((line, format!("include one of {in_folder}/*{extension} here"))),
    }
}

/// What is included outside of blocks is for a player, or a figure, which becomes a part
/// of the page's HTML.
fn check_other(book: &Book, page: &Page, line: usize, path: &Option<String>) -> Checked {
    let blocks = &page.text.blocks;
    let is_in_a_block = blocks.iter().flat_map(|it| &it.lines).any(|it| it.0 == line);
    let Some(path) = path.as_ref().filter(|_| !is_in_a_block) else {
        return Ok(());
    };
    if let Some(script) = players::script(page, line) {
        return players::check_script(book, page, (line, path), &script);
    }
    let text = &page.text;
    let is_apart = |line| text.is_blank(line) || text.line(line).trim().starts_with('<');
    if !is_a(path, "figures", ".svg") && !is_a(path, "tables", ".txt") {
        let message = format!("put this into a block: {path} is no figure and no table");
        Err((line, message))
    } else if !is_apart(line - 1) || !is_apart(line + 1) {
        Err((line, "leave a line empty above and below this".to_string()))
    } else {
        Ok(())
    }
}

fn is_a(path: &str, in_folder: &str, extension: &str) -> bool {
    folder(path) == in_folder && path.ends_with(extension)
}
