//! The whole configuration: its sections, in the order in which the defaults are printed.

use super::{
    auth::AuthSection, broker::BrokerSection, demo::DemoSection, drain::DrainSection, ice::IceSection,
    limits::LimitsSection, node::NodeSection, ops::OpsSection, rebalance::RebalanceSection, section::section,
    server::ServerSection, session::SessionSection, telemetry::TelemetrySection, tls::TlsSection,
    webhooks::WebhooksSection,
};

section! {
    /// A node's configuration.
    Config {
        /// The node itself.
        node: NodeSection = NodeSection::default(),
        /// Its ports.
        server: ServerSection = ServerSection::default(),
        /// Who may use its operations port.
        ops: OpsSection = OpsSection::default(),
        /// The tokens that it accepts.
        auth: AuthSection = AuthSection::default(),
        /// Whom the node trusts as a TLS client.
        tls: TlsSection = TlsSection::default(),
        /// The bus that joins the nodes.
        broker: BrokerSection = BrokerSection::default(),
        /// How sessions behave.
        session: SessionSection = SessionSection::default(),
        /// Bounds.
        limits: LimitsSection = LimitsSection::default(),
        /// STUN and TURN servers for peers.
        ice: IceSection = IceSection::default(),
        /// How the node drains before it stops.
        drain: DrainSection = DrainSection::default(),
        /// How connections are kept in balance between nodes.
        rebalance: RebalanceSection = RebalanceSection::default(),
        /// The app's backends that get events of the cluster.
        webhooks: WebhooksSection = WebhooksSection::default(),
        /// Logs and traces.
        telemetry: TelemetrySection = TelemetrySection::default(),
        /// The demo page.
        demo: DemoSection = DemoSection::default(),
    }
}
