//! What one file declares, imports, defines and names: from its words, without a grammar. Not what the names mean
//! (`modules`).

use std::collections::{BTreeMap, BTreeSet};

/// One file.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// `crate::` and the path, for people.
    pub(crate) name: String,
    pub(crate) parent: usize,
    pub(crate) children: BTreeMap<String, usize>,
    pub(crate) imports: Vec<Import>,
    /// Paths in code outside of `use`.
    pub(crate) paths: Vec<Vec<String>>,
    /// Words in code outside of `use`.
    pub(crate) words: BTreeSet<String>,
    /// Items that stand here.
    pub(crate) defined: BTreeSet<String>,
    /// Functions that stand here, methods included, as often as they do.
    pub(crate) functions: Vec<String>,
    /// Methods by the path of the type whose `impl` they stand in.
    pub(crate) methods: Vec<(Vec<String>, String)>,
    /// Functions that are called as methods or through a path.
    pub(crate) calls: BTreeSet<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Import {
    pub(crate) path: Vec<String>,
    /// The name here; `*` for all.
    pub(crate) name: String,
    pub(crate) is_reexport: bool,
}

/// Words, `::` and single characters.
fn tokens(code: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |symbol: char| symbol.is_alphanumeric() || symbol == '_';
        let length = match first {
            _ if is_word(first) => rest.find(|symbol| !is_word(symbol)).unwrap_or(rest.len()),
            ':' if rest.starts_with("::") => 2,
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        found.push(token);
        rest = after.trim_start();
    }
    found
}

/// Reads the code of one file, without tests.
pub(crate) fn parse(code: &str) -> Module {
    let tokens = tokens(code);
    let mut module = Module::default();
    let mut at = 0;
    // The type of the `impl` that the place is in, and the depth of braces at which it ends.
    let mut block: Option<(Vec<String>, usize)> = None;
    let mut depth = 0;
    while at < tokens.len() {
        let before = at.checked_sub(1).map_or("", |before| tokens[before]);
        let next = tokens.get(at + 1).copied().unwrap_or("");
        match tokens[at] {
            "{" => (at, depth) = (at + 1, depth + 1),
            "}" => {
                (at, depth) = (at + 1, depth.max(1) - 1);
                block = block.filter(|(_, end)| depth > *end);
            }
            // `use<T>` in a type says which generics an `impl Trait` captures.
            "use" if before != "::" && before != "." && next != "<" => {
                let is_reexport = before == "pub" || before == ")";
                at = imports(&tokens, at + 1, &[], is_reexport, &mut module.imports);
            }
            "mod" if tokens.get(at + 2) == Some(&";") => {
                module.children.insert(next.to_owned(), 0);
                at += 3;
            }
            "impl" if matches!(before, "" | "}" | ";" | "]") => {
                block = own_type(&tokens, at + 1).map(|path| (path, depth));
                at += 1;
            }
            "fn" if is_name(next) => {
                module.functions.push(next.to_owned());
                match &block {
                    Some((path, _)) => module.methods.push((path.clone(), next.to_owned())),
                    None => _ = module.defined.insert(next.to_owned()),
                }
                at += 2;
            }
            "struct" | "enum" | "trait" | "const" | "static" | "type" | "union" | "mod" | "macro_rules" => {
                let is_macro = next == "!";
                let name = if is_macro {
                    tokens.get(at + 2).copied().unwrap_or("")
                } else {
                    next
                };
                module.defined.insert(name.to_owned());
                at += 1;
            }
            word if is_name(word) && before == "." => {
                module.calls.insert(word.to_owned());
                at += 1;
            }
            word if is_name(word) => {
                let path = path_at(&tokens, &mut at);
                module.words.insert(path[0].clone());
                if path.len() > 1 {
                    module.calls.extend(path.last().cloned());
                    module.paths.push(path);
                }
            }
            _ => at += 1,
        }
    }
    module
}

/// The type of an inherent `impl`; `None` where it is a trait's.
fn own_type(tokens: &[&str], at: usize) -> Option<Vec<String>> {
    let mut at = at + generics(&tokens[at..]);
    let mut head = tokens[at..].iter().take_while(|token| **token != "{");
    let is_trait = head.any(|token| *token == "for");
    (!is_trait && is_name(tokens.get(at)?)).then(|| path_at(tokens, &mut at))
}

/// How many tokens the `<…>` at the start takes; none if there is none.
fn generics(tokens: &[&str]) -> usize {
    let mut depth = 0;
    for (place, token) in tokens.iter().enumerate() {
        match *token {
            "<" => depth += 1,
            // `->` and `=>` are no brackets.
            ">" if place > 0 && !matches!(tokens[place - 1], "-" | "=") => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return if place == 0 { 0 } else { place + 1 };
        }
    }
    0
}

fn is_name(token: &str) -> bool {
    token.starts_with(|symbol: char| symbol.is_alphabetic() || symbol == '_')
}

/// The names joined by `::` from `at` on; a turbofish ends it.
fn path_at(tokens: &[&str], at: &mut usize) -> Vec<String> {
    let mut path = vec![tokens[*at].to_owned()];
    *at += 1;
    while tokens.get(*at) == Some(&"::") && tokens.get(*at + 1).is_some_and(|next| is_name(next)) {
        path.push(tokens[*at + 1].to_owned());
        *at += 2;
    }
    path
}

/// Reads one tree of a `use`; gives the place behind it.
fn imports(
    tokens: &[&str],
    mut at: usize,
    prefix: &[String],
    is_reexport: bool,
    out: &mut Vec<Import>,
) -> usize {
    let mut path = prefix.to_vec();
    while let Some(token) = tokens.get(at) {
        match *token {
            "::" => at += 1,
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| *token != "}" && *token != ";") {
                    at = imports(tokens, at, &path, is_reexport, out);
                    at += usize::from(tokens.get(at) == Some(&","));
                }
                return at + 1;
            }
            "," | ";" | "}" => break,
            "as" => {
                let name = tokens.get(at + 1).copied().unwrap_or("_").to_owned();
                out.push(Import {
                    path,
                    name,
                    is_reexport,
                });
                return at + 2;
            }
            "self" if path.len() > 1 || !prefix.is_empty() => at += 1,
            name => {
                path.push(name.to_owned());
                at += 1;
            }
        }
    }
    if let Some(name) = path.last().cloned() {
        out.push(Import {
            path,
            name,
            is_reexport,
        });
    }
    at
}

#[test]
fn a_use_in_a_type_is_no_import() {
    let module =
        parse("fn wrap<S>(stream: S) -> impl Read + use<S> { let kept = stream; kept } use a::{b, c};");
    let names: Vec<&str> = module.imports.iter().map(|import| import.name.as_str()).collect();
    assert_eq!(names, ["b", "c"]);
}
