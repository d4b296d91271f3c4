//! The reference of the contract, made of `wit/`.

use std::{fmt::Write as _, fs};

use anyhow::{Context as _, Result, bail};
use wit_parser::{
    Docs, FunctionKind, Handle, InterfaceId, Resolve, Type, TypeDefKind, TypeId, WorldItem,
};

use crate::workspace::Workspace;

const PAGE: &str = "docs/contract.md";

/// Writes docs/contract.md anew, from wit/
///
/// Example: cargo xtask contract --check
#[derive(clap::Args)]
pub struct Arguments {
    /// Only see whether it is as wit/ says
    #[arg(long)]
    check: bool,
}

pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let page = workspace.path(PAGE);
    let text = page_of(workspace)?;
    if arguments.check {
        return check(workspace);
    }
    fs::write(&page, text).with_context(|| format!("failed to write {PAGE}"))
}

/// Whether the page is the one that the contract comes to.
pub fn check(workspace: &Workspace) -> Result<()> {
    let found = fs::read_to_string(workspace.path(PAGE))
        .with_context(|| format!("failed to read {PAGE}"))?;
    if found != page_of(workspace)? {
        bail!("{PAGE} is not what wit/ says; write it anew with: cargo xtask contract");
    }
    Ok(())
}

fn page_of(workspace: &Workspace) -> Result<String> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(workspace.path("wit"))?;
    let package = resolve
        .packages
        .get(package)
        .context("wit/ has no package")?;
    let mut page = format!(
        "# The contract\n\nEverything that passes between the host and a guest: package `{}`. Made of \
         [`wit/sinks.wit`](../wit/sinks.wit) by `cargo xtask contract`.\n\n",
        package.name
    );
    for name in package.interfaces.keys() {
        let _ = writeln!(page, "* [Interface `{name}`](#interface-{name})");
    }
    page.push_str("* [Worlds](#worlds)\n");
    for (name, id) in &package.interfaces {
        interface(&mut page, &resolve, name, *id)?;
    }
    page.push_str("\n## Worlds\n");
    for (name, id) in &package.worlds {
        let world = resolve.worlds.get(*id).context("a world is missing")?;
        let _ = write!(page, "\n### `{name}`\n\n");
        prose(&mut page, &world.docs, "");
        for (what, items) in [("imports", &world.imports), ("exports", &world.exports)] {
            let names: Vec<String> = items
                .values()
                .filter_map(|item| interface_of(&resolve, item))
                .map(|name| format!("[`{name}`](#interface-{name})"))
                .collect();
            if !names.is_empty() {
                let _ = write!(page, "It {what} {}.\n\n", names.join(", "));
            }
        }
    }
    Ok(page.trim_end().to_owned() + "\n")
}

fn interface_of(resolve: &Resolve, item: &WorldItem) -> Option<String> {
    let WorldItem::Interface { id, .. } = item else {
        return None;
    };
    resolve.interfaces.get(*id)?.name.clone()
}

fn interface(page: &mut String, resolve: &Resolve, name: &str, id: InterfaceId) -> Result<()> {
    let interface = resolve
        .interfaces
        .get(id)
        .context("an interface is missing")?;
    let _ = write!(page, "\n## Interface `{name}`\n\n");
    prose(page, &interface.docs, "");
    for id in interface.types.values() {
        kind(page, resolve, *id)?;
    }
    for function in interface.functions.values() {
        if function.kind != FunctionKind::Freestanding {
            continue;
        }
        let parameters: Vec<String> = function
            .params
            .iter()
            .map(|parameter| format!("{}: {}", parameter.name, shown(resolve, &parameter.ty)))
            .collect();
        let result = match &function.result {
            Some(result) => format!(" -> {}", shown(resolve, result)),
            None => String::new(),
        };
        let _ = write!(
            page,
            "### `{}({}){result}`\n\n",
            function.name,
            parameters.join(", ")
        );
        prose(page, &function.docs, "");
    }
    Ok(())
}

fn kind(page: &mut String, resolve: &Resolve, id: TypeId) -> Result<()> {
    let definition = resolve.types.get(id).context("a type is missing")?;
    let name = definition.name.as_deref().unwrap_or_default();
    match &definition.kind {
        TypeDefKind::Record(record) => {
            heading(page, "record", name, &definition.docs);
            page.push_str("| field | type | |\n|---|---|---|\n");
            for field in &record.fields {
                row(page, &field.name, &shown(resolve, &field.ty), &field.docs);
            }
        }
        TypeDefKind::Variant(variant) => {
            heading(page, "variant", name, &definition.docs);
            page.push_str("| case | of | |\n|---|---|---|\n");
            for case in &variant.cases {
                let of = case.ty.as_ref().map(|ty| shown(resolve, ty));
                row(page, &case.name, &of.unwrap_or_default(), &case.docs);
            }
        }
        TypeDefKind::Enum(cases) => {
            heading(page, "enum", name, &definition.docs);
            let plain = cases.cases.iter().all(|case| case.docs.contents.is_none());
            if plain {
                let names: Vec<String> = cases
                    .cases
                    .iter()
                    .map(|case| format!("`{}`", case.name))
                    .collect();
                let _ = write!(page, "{}\n\n", names.join(", "));
                return Ok(());
            }
            page.push_str("| case | | |\n|---|---|---|\n");
            for case in &cases.cases {
                row(page, &case.name, "", &case.docs);
            }
        }
        // Of another interface.
        TypeDefKind::Type(Type::Id(_)) => return Ok(()),
        TypeDefKind::Type(inner) => {
            let title = format!("{name} = {}", shown(resolve, inner));
            heading(page, "type", &title, &definition.docs);
            return Ok(());
        }
        _ => return Ok(()),
    }
    page.push('\n');
    Ok(())
}

fn heading(page: &mut String, what: &str, name: &str, docs: &Docs) {
    let _ = write!(page, "### {what} `{name}`\n\n");
    prose(page, docs, "");
}

fn row(page: &mut String, name: &str, of: &str, docs: &Docs) {
    let of = if of.is_empty() {
        String::new()
    } else {
        format!("`{of}`")
    };
    let docs = docs.contents.as_deref().unwrap_or_default();
    let docs = docs.split_whitespace().collect::<Vec<_>>().join(" ");
    let _ = writeln!(page, "| `{name}` | {of} | {} |", docs.replace('|', "\\|"));
}

fn prose(page: &mut String, docs: &Docs, before: &str) {
    if let Some(text) = &docs.contents {
        let _ = write!(page, "{before}{}\n\n", text.trim());
    }
}

/// A type as WIT writes it.
fn shown(resolve: &Resolve, of: &Type) -> String {
    let plain = match of {
        Type::Bool => "bool",
        Type::U8 => "u8",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::U64 => "u64",
        Type::S8 => "s8",
        Type::S16 => "s16",
        Type::S32 => "s32",
        Type::S64 => "s64",
        Type::F32 => "f32",
        Type::F64 => "f64",
        Type::Char => "char",
        Type::String => "string",
        Type::ErrorContext => "error-context",
        Type::Id(id) => return named(resolve, *id),
    };
    plain.to_owned()
}

fn named(resolve: &Resolve, id: TypeId) -> String {
    let Some(definition) = resolve.types.get(id) else {
        return "?".to_owned();
    };
    if let Some(name) = &definition.name {
        return name.clone();
    }
    let of = |inner: &Type| shown(resolve, inner);
    match &definition.kind {
        TypeDefKind::List(inner) => format!("list<{}>", of(inner)),
        TypeDefKind::Option(inner) => format!("option<{}>", of(inner)),
        TypeDefKind::Tuple(tuple) => {
            let types: Vec<String> = tuple.types.iter().map(of).collect();
            format!("tuple<{}>", types.join(", "))
        }
        TypeDefKind::Result(result) => match (&result.ok, &result.err) {
            (Some(ok), Some(err)) => format!("result<{}, {}>", of(ok), of(err)),
            (None, Some(err)) => format!("result<_, {}>", of(err)),
            (Some(ok), None) => format!("result<{}>", of(ok)),
            (None, None) => "result".to_owned(),
        },
        TypeDefKind::Handle(Handle::Own(id) | Handle::Borrow(id)) => named(resolve, *id),
        _ => "?".to_owned(),
    }
}
