//! The items of a Rust file: what has a name, and where it is defined.

use syn::{ImplItem, ImplItemFn, Item as Syntax, TraitItem, Type};

pub struct Item {
    /// The line of its name.
    pub line: usize,
    pub name: String,
    /// The type or trait that it belongs to.
    pub owner: Option<String>,
    /// The trait that its owner implements by it.
    pub implements: Option<String>,
}

impl Item {
    /// `Type::name`.
    pub fn label(&self) -> String {
        match &self.owner {
            Some(owner) => format!("{owner}::{}", self.name),
            None => self.name.clone(),
        }
    }

    /// What a reader has to learn: what implements a trait has the name that it has there.
    pub fn new_name(&self) -> String {
        match &self.implements {
            Some(of) => format!("{of}::{}", self.name),
            None => self.label(),
        }
    }
}

/// The items of a file, without its tests; none if it is no Rust, which the compiler says.
pub fn of(text: &str) -> Vec<Item> {
    let mut found = vec![];
    let file = syn::parse_file(text);
    add(&file.map(|file| file.items).unwrap_or_default(), &mut found);
    found
}

fn add(items: &[Syntax], found: &mut Vec<Item>) {
    for item in items {
        match item {
            Syntax::Fn(it) => found.push(named(&it.sig.ident)),
            Syntax::Struct(it) => found.push(named(&it.ident)),
            Syntax::Enum(it) => found.push(named(&it.ident)),
            Syntax::Union(it) => found.push(named(&it.ident)),
            Syntax::Type(it) => found.push(named(&it.ident)),
            Syntax::Const(it) if it.ident != "_" => found.push(named(&it.ident)),
            Syntax::Static(it) => found.push(named(&it.ident)),
            Syntax::Macro(it) => found.extend(it.ident.as_ref().map(named)),
            Syntax::Trait(it) => {
                found.push(named(&it.ident));
                found.extend(of_trait(it));
            }
            Syntax::Impl(it) => found.extend(of_impl(it)),
            Syntax::Mod(it) if it.ident != "tests" => {
                let inside = it.content.as_ref();
                add(inside.map_or(&[][..], |(_, items)| items), found);
            }
            _ => {}
        }
    }
}

fn named(ident: &proc_macro2::Ident) -> Item {
    let (line, name) = (ident.span().start().line, ident.to_string());
    Item { line, name, owner: None, implements: None }
}

fn of_trait(it: &syn::ItemTrait) -> Vec<Item> {
    let names = it.items.iter().filter_map(|item| match item {
        TraitItem::Fn(it) => Some(&it.sig.ident),
        TraitItem::Const(it) => Some(&it.ident),
        TraitItem::Type(it) => Some(&it.ident),
        _ => None,
    });
    let owner = Some(it.ident.to_string());
    names.map(|name| Item { owner: owner.clone(), ..named(name) }).collect()
}

/// (The associated types of a trait that is implemented have their names there.)
fn of_impl(it: &syn::ItemImpl) -> Vec<Item> {
    let owner = match &*it.self_ty {
        Type::Path(it) => it.path.segments.last().map(|it| it.ident.to_string()),
        _ => None,
    };
    let implements = it
        .trait_
        .as_ref()
        .and_then(|(path, _)| path.segments.last().map(|it| it.ident.to_string()));
    let names = it.items.iter().filter_map(|item| match item {
        ImplItem::Fn(ImplItemFn { sig, .. }) => Some(&sig.ident),
        ImplItem::Const(it) => Some(&it.ident),
        _ => None,
    });
    let item = |name| Item {
        owner: owner.clone(),
        implements: implements.clone(),
        ..named(name)
    };
    names.map(item).collect()
}
