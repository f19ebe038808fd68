//! TLS of the node's ports: which of them have it. Not how it works (`edge`), and not its keys (`config`).

use std::sync::Arc;

use switchboard_edge::{TlsPort, TlsSettings};
use switchboard_telemetry::{Port, ReloadPart, Telemetry};

use crate::{config::Settings, reload::Reloader};

/// TLS of each port that has it.
pub(crate) struct PortTls {
    pub(crate) public: Option<Arc<TlsPort>>,
    /// Its own, or that of the public port.
    pub(crate) api: Option<Arc<TlsPort>>,
    pub(crate) ops: Option<Arc<TlsPort>>,
}

impl PortTls {
    /// Reads the certificates; from now on `reloader` replaces them.
    ///
    /// # Errors
    /// When a file cannot be used; the message names it.
    pub(crate) fn open(
        settings: &Settings,
        telemetry: &Telemetry,
        reloader: &mut Reloader,
    ) -> anyhow::Result<Self> {
        let mut open = |settings: &Option<TlsSettings>, port, part| {
            let opened = settings
                .clone()
                .map(|settings| TlsPort::open(settings, port, telemetry.clone()));
            let tls = opened.transpose().map_err(anyhow::Error::msg)?;
            reloader.add_tls(part, tls.as_ref());
            anyhow::Ok(tls)
        };
        let public = open(&settings.tls, Port::Public, ReloadPart::ServerTls)?;
        let api = open(&settings.api_tls, Port::Api, ReloadPart::ApiTls)?;
        let ops = open(&settings.ops_tls, Port::Operations, ReloadPart::OpsTls)?;
        Ok(Self {
            api: api.or_else(|| public.clone()),
            public,
            ops,
        })
    }
}
