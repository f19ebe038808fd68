//! The webhooks of one node: their tasks, and what an operator asks them.

use std::{path::PathBuf, sync::Arc, time::Duration};

use parking_lot::{Mutex, RwLock};
use switchboard_core::{Backlog, DeadEvent, EventStreams, Observer, Replay};
use switchboard_telemetry::Telemetry;
use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    backlogs::Backlogs,
    config::WebhooksConfig,
    delivery::Delivery,
    endpoint::Endpoint,
    error::{UnknownEndpoint, WebhooksError},
    observer::{QueueingObserver, now_ms},
    request,
    writer::Writer,
};

/// How long the end may take: queued events are appended, and partitions released.
const SHUTDOWN: Duration = Duration::from_secs(2);

/// An endpoint, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointStatus {
    /// Its name.
    pub name: String,
    /// What waits for it in the cluster, a few seconds ago.
    pub backlog: Backlog,
}

/// The webhooks of a node.
pub struct Webhooks {
    config: Arc<WebhooksConfig>,
    endpoints: Arc<[Arc<Endpoint>]>,
    streams: Arc<dyn EventStreams>,
    backlogs: Arc<Backlogs>,
    client: Arc<RwLock<reqwest::Client>>,
    end: CancellationToken,
    tasks: Mutex<JoinSet<()>>,
}

impl Webhooks {
    /// Starts the webhooks of `node`. The observer is to be given to the router. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`WebhooksError`] when the file of authorities cannot be used.
    pub fn start(
        config: WebhooksConfig,
        node: &str,
        streams: Arc<dyn EventStreams>,
        telemetry: &Telemetry,
    ) -> Result<(Arc<Self>, Arc<dyn Observer>), WebhooksError> {
        let client = Arc::new(RwLock::new(request::client(&config)?));
        let config = Arc::new(config);
        let endpoints: Arc<[_]> = config.endpoints.iter().cloned().map(Arc::new).collect();
        let (observer, queue) = QueueingObserver::new(node, &endpoints, telemetry.clone());
        let end = CancellationToken::new();
        let backlogs = Arc::new(Backlogs::of(endpoints.len()));
        let mut tasks = JoinSet::new();
        let writer = Writer {
            queue,
            endpoints: Arc::clone(&endpoints),
            streams: Arc::clone(&streams),
            bounds: config.bounds(),
            telemetry: telemetry.clone(),
        };
        tasks.spawn(writer.run(end.clone()));
        for (index, endpoint) in endpoints.iter().enumerate() {
            let delivery = Delivery::new(
                index,
                Arc::clone(&config),
                Arc::clone(endpoint),
                Arc::clone(&client),
                Arc::clone(&streams),
                Arc::clone(&backlogs),
                telemetry.clone(),
            );
            tasks.spawn(delivery.run(end.clone()));
        }
        if !streams.outlives_process() {
            tracing::warn!(
                "events of webhooks are in memory alone: those not delivered end with this process"
            );
        }
        let webhooks = Self {
            config,
            endpoints,
            streams,
            backlogs,
            client,
            end,
            tasks: Mutex::new(tasks),
        };
        Ok((Arc::new(webhooks), Arc::new(observer)))
    }

    /// The files that it reads: secrets, and authorities of endpoints.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let secrets = self
            .endpoints
            .iter()
            .flat_map(|endpoint| endpoint.secrets.files());
        secrets.chain(&self.config.ca_file).cloned().collect()
    }

    /// Reads the files again. What cannot be used stays as it was.
    ///
    /// # Errors
    /// [`WebhooksError`] for the last file that cannot be used.
    pub fn read_files_again(&self) -> Result<(), WebhooksError> {
        let client = request::client(&self.config).map(|client| *self.client.write() = client);
        let secrets = self.endpoints.iter().map(|endpoint| {
            let refused = |error| WebhooksError(format!("the endpoint `{}`: {error}", endpoint.name()));
            endpoint.secrets.read_again().map_err(refused)
        });
        secrets.fold(client, |outcome, next| next.and(outcome))
    }

    /// Whether events outlive the process of the node.
    #[must_use]
    pub fn outlives_process(&self) -> bool {
        self.streams.outlives_process()
    }

    /// The endpoints, in the order of the configuration.
    #[must_use]
    pub fn status(&self) -> Vec<EndpointStatus> {
        let names = self.endpoints.iter().map(|endpoint| endpoint.name().to_owned());
        let both = names.zip(self.backlogs.all());
        both.map(|(name, backlog)| EndpointStatus { name, backlog })
            .collect()
    }

    /// The latest `limit` dead events of an endpoint, the latest first. An inner error is for people: the bus is away.
    ///
    /// # Errors
    /// [`UnknownEndpoint`].
    pub async fn dead(
        &self,
        endpoint: &str,
        limit: usize,
    ) -> Result<Result<Vec<DeadEvent>, String>, UnknownEndpoint> {
        self.check(endpoint)?;
        Ok(self.streams.dead(endpoint, limit).await)
    }

    /// Sends dead events of an endpoint again; how many. An inner error is as above.
    ///
    /// # Errors
    /// [`UnknownEndpoint`].
    pub async fn replay(
        &self,
        endpoint: &str,
        which: Replay<'_>,
    ) -> Result<Result<u64, String>, UnknownEndpoint> {
        self.check(endpoint)?;
        let bounds = self.config.bounds();
        Ok(self.streams.replay(endpoint, which, now_ms(), bounds).await)
    }

    /// Appends the queued events, and leaves their delivery to other nodes.
    pub async fn shutdown(&self) {
        self.end.cancel();
        let mut tasks = std::mem::take(&mut *self.tasks.lock());
        let ended = async { while tasks.join_next().await.is_some() {} };
        if timeout(SHUTDOWN, ended).await.is_err() {
            tracing::warn!("the bus is too slow to take the last events of webhooks; they are lost");
        }
    }

    fn check(&self, name: &str) -> Result<(), UnknownEndpoint> {
        let is_known = self.endpoints.iter().any(|endpoint| endpoint.name() == name);
        if is_known { Ok(()) } else { Err(UnknownEndpoint) }
    }
}
