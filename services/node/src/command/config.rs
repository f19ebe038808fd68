//! `switchboard config check|default|schema`.

use crate::{cli::ConfigCommand, config};

pub(super) fn run(command: ConfigCommand) -> anyhow::Result<()> {
    match command {
        ConfigCommand::Check(serve) => {
            let settings = config::settings(serve.config.as_deref())?;
            super::serve::check_keys(&settings)?;
            if settings.edge.allowed_origins.allows_null() {
                eprintln!(
                    "warning: server.allowed_origins has `null`, which every sandboxed page of any site has"
                );
            }
            println!(
                "configuration is valid; the node would be called {}",
                settings.node
            );
        }
        ConfigCommand::Default => print!("{}", config::default_toml()),
        ConfigCommand::Schema => println!("{}", config::schema()),
    }
    Ok(())
}
