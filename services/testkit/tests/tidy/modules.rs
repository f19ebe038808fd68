//! The modules of a crate and which of them needs which. A module is a file.
//!
//! A module needs another when its code, tests aside, names something that is defined there. A re-export (`pub use`,
//! with any visibility) is followed to the definition, and needs nothing by itself: a parent may collect the names of
//! its children, and may declare them. What a parent *defines* is needed like anything else, so a parent that
//! calls its child and defines what the child needs is a circle.
//!
//! A method is seen where it is the only function of its name in the crate and stands in an `impl` of another module's
//! type: a caller needs the module of that `impl`. Other methods come with their type.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::{
    parse::{Module, parse},
    source,
};

/// The modules below one `lib.rs` or `main.rs`.
#[derive(Debug, Default)]
pub(crate) struct Modules(Vec<Module>);

/// Re-exports of re-exports are followed this far.
const MAX_HOPS: usize = 8;

impl Modules {
    /// Reads the crate whose root file is `root`.
    pub(crate) fn read(root: &Path) -> Self {
        let mut modules = Self::default();
        let folder = root.parent().unwrap().to_owned();
        modules.add(root, &folder, "crate".into(), 0);
        modules
    }

    fn add(&mut self, file: &Path, folder: &Path, name: String, parent: usize) -> usize {
        let text = std::fs::read_to_string(file).unwrap();
        self.add_text(&text, name, parent, |child| {
            let candidates = [
                folder.join(format!("{child}.rs")),
                folder.join(child).join("mod.rs"),
            ];
            let file = candidates.into_iter().find(|file| file.is_file())?;
            Some((file, folder.join(child)))
        })
    }

    fn add_text(
        &mut self,
        text: &str,
        name: String,
        parent: usize,
        find: impl Fn(&str) -> Option<(PathBuf, PathBuf)>,
    ) -> usize {
        let mut module = parse(&source::without_tests(&source::code(text)));
        let declared = std::mem::take(&mut module.children);
        (module.name, module.parent) = (name.clone(), parent);
        let index = self.0.len();
        self.0.push(module);
        for child in declared.into_keys() {
            if let Some((file, folder)) = find(&child) {
                let index_of_child = self.add(&file, &folder, format!("{name}::{child}"), index);
                self.0[index].children.insert(child, index_of_child);
            }
        }
        index
    }

    /// For each module, which ones it needs.
    pub(crate) fn needs(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let names = |index: usize| self.0[index].name.as_str();
        let methods = self.methods();
        (0..self.0.len())
            .map(|index| {
                (
                    names(index),
                    self.needs_of(index, &methods).into_iter().map(names).collect(),
                )
            })
            .collect()
    }

    fn needs_of(&self, index: usize, methods: &BTreeMap<&str, usize>) -> BTreeSet<usize> {
        let module = &self.0[index];
        let imports = module.imports.iter();
        let imported = imports
            .filter(|import| !import.is_reexport || module.words.contains(&import.name))
            .map(|import| &import.path);
        imported
            .chain(&module.paths)
            .filter_map(|path| self.definition(index, path, MAX_HOPS))
            .chain(
                module
                    .calls
                    .iter()
                    .filter_map(|call| methods.get(call.as_str()).copied()),
            )
            .filter(|found| *found != index)
            .collect()
    }

    /// Methods that stand in a module other than their type's, with that module.
    fn methods(&self) -> BTreeMap<&str, usize> {
        let mut count = BTreeMap::new();
        for name in self.0.iter().flat_map(|module| &module.functions) {
            *count.entry(name.as_str()).or_insert(0) += 1;
        }
        let mut found = BTreeMap::new();
        for (index, module) in self.0.iter().enumerate() {
            for (path, name) in &module.methods {
                let path = [vec!["self".to_owned()], path.clone()].concat();
                let is_foreign = self
                    .definition(index, &path, MAX_HOPS)
                    .is_some_and(|home| home != index);
                if is_foreign && count[name.as_str()] == 1 {
                    found.insert(name.as_str(), index);
                }
            }
        }
        found
    }

    /// The module that defines what `path` names in the module `from`; `None` for other crates.
    fn definition(&self, from: usize, path: &[String], hops: usize) -> Option<usize> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.walk(0, rest, hops),
            "self" => self.walk(from, rest, hops),
            "super" => self.walk_up(from, rest, hops),
            _ => {
                let module = &self.0[from];
                let is_here = module.children.contains_key(first)
                    || module.imports.iter().any(|import| import.name == *first);
                (is_here && path.len() > 1)
                    .then(|| self.walk(from, path, hops))
                    .flatten()
            }
        }
    }

    fn walk_up(&self, from: usize, path: &[String], hops: usize) -> Option<usize> {
        let parent = self.0[from].parent;
        match path.split_first() {
            Some((first, rest)) if first == "super" => self.walk_up(parent, rest, hops),
            _ => self.walk(parent, path, hops),
        }
    }

    fn walk(&self, mut at: usize, path: &[String], hops: usize) -> Option<usize> {
        for (place, name) in path.iter().enumerate() {
            let module = &self.0[at];
            if let Some(child) = module.children.get(name) {
                at = *child;
                continue;
            }
            if name == "*" || name == "self" || module.defined.contains(name) {
                return Some(at);
            }
            let named = module.imports.iter().find(|import| import.name == *name);
            let Some(import) = named.or_else(|| module.imports.iter().find(|import| import.name == "*"))
            else {
                return Some(at);
            };
            let hops = hops.checked_sub(1)?;
            let mut target = import.path.clone();
            if import.name == "*" {
                target.pop();
                target.push(name.clone());
            }
            target.extend_from_slice(&path[place + 1..]);
            return self.definition(at, &target, hops);
        }
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Modules `crate`, `crate::a` and `crate::b` with these texts.
    fn needs(root: &str, a: &str, b: &str) -> Vec<String> {
        let folder = tempfile::TempDir::new().unwrap();
        for (name, text) in [("lib.rs", root), ("a.rs", a), ("b.rs", b)] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let modules = Modules::read(&folder.path().join("lib.rs"));
        let needs = modules.needs();
        let pairs = needs
            .iter()
            .flat_map(|(from, to)| to.iter().map(move |to| format!("{from} -> {to}")));
        pairs.map(|pair| pair.replace("crate::", "")).collect()
    }

    #[test]
    fn a_reexport_is_followed_and_needs_nothing_by_itself() {
        let root = "mod a; mod b; pub use a::{Thing, other as renamed}; pub(crate) use b::*;";
        assert_eq!(needs(root, "pub struct Thing;", "use super::Thing;"), ["b -> a"]);
        assert_eq!(
            needs(root, "pub struct Thing;", "fn f() { crate::renamed() }"),
            ["b -> a"]
        );
        assert_eq!(
            needs(root, "fn f(x: super::Global) {}", "pub struct Global;"),
            ["a -> b"]
        );
    }

    #[test]
    fn a_method_far_from_its_type_is_seen() {
        let a = "pub struct Thing; fn f(x: &super::a::Thing) { x.far(1) }";
        let b = "use crate::a::Thing; impl<T: Fn() -> u8> Thing { fn far(&self) {} }";
        assert_eq!(needs("mod a; mod b;", a, b), ["a -> b", "b -> a"]);
        assert_eq!(
            needs("mod a; mod b; fn far() {}", a, b),
            ["b -> a"],
            "the name is not the only one"
        );
    }

    #[test]
    fn what_a_parent_defines_or_calls_counts() {
        assert_eq!(
            needs(
                "mod a; mod b; struct Own; fn f() { a::g() }",
                "use super::Own;",
                ""
            ),
            ["crate -> a", "a -> crate"]
        );
        assert_eq!(
            needs(
                "mod a; mod b; pub use a::Thing; fn f(x: Thing) {}",
                "pub struct Thing;",
                ""
            ),
            ["crate -> a"]
        );
    }

    #[test]
    fn modules_tests_and_comments_are_distinguished() {
        assert_eq!(
            needs(
                "mod a; mod b;",
                "use crate::{b, std_like::x};\nfn f() { b::g() }",
                ""
            ),
            ["a -> crate", "a -> b"]
        );
        assert!(
            needs(
                "mod a; mod b;",
                "// use crate::b;\n#[cfg(test)] mod tests { use crate::b; }",
                ""
            )
            .is_empty()
        );
    }
}
