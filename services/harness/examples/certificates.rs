//! Makes a throw-away authority and a certificate of it for servers with these names: `certificates FOLDER NAME…`. For a
//! cluster on one machine (`make cluster-up TLS=1`), never for users: the key lies there in the open.

use std::{env, fs, path::Path};

use switchboard_harness::Authority;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let Some((folder, names)) = arguments.split_first().filter(|(_, names)| !names.is_empty()) else {
        anyhow::bail!("usage: certificates FOLDER NAME...");
    };
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let authority = Authority::new("switchboard throw-away authority")?;
    let node = authority.issue("node", &names)?;
    let folder = Path::new(folder);
    fs::create_dir_all(folder)?;
    for (from, to) in [
        (authority.ca_file(), "ca.pem"),
        (node.certificate, "node.pem"),
        (node.key, "node.key"),
    ] {
        fs::copy(from, folder.join(to))?;
    }
    println!("{}", folder.join("ca.pem").display());
    Ok(())
}
