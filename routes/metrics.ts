import type { FastifyInstance } from 'fastify'
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import { mergeMetrics } from '../src/workers/merged-metrics.js'
import type { Workers } from '../src/workers/seat.js'

const LATENCY_BUCKETS_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]

type Labels = Record<string, string>

/**
 * `GET /metrics` for Prometheus. It reads the values when asked for them, so that metrics cost the stream
 * nothing.
 */
export async function metricsRoutes (app: FastifyInstance): Promise<void> {
  const { counters, heatmaps, hub, sources } = app.streaming
  const registry = new Registry()
  // These include the event loop's delay (nodejs_eventloop_lag_…), memory and garbage collection.
  collectDefaultMetrics({ register: registry })
  const { workers } = app
  if (workers !== undefined) {
    registry.setDefaultLabels({ worker: workers.name })
    workers.answerMetrics(() => registry.metrics())
  }

  const add = (
    Kind: typeof Counter | typeof Gauge,
    name: string,
    help: string,
    labelNames: string[],
    values: () => Iterable<readonly [Labels, number]>
  ): void => {
    const metric = new Kind({
      name: `tickwire_${name}`,
      help,
      labelNames,
      registers: [registry],
      collect () {
        metric.reset()
        for (const [labels, value] of values()) metric.inc(labels, value)
      }
    })
  }
  type Transport = ReturnType<typeof counters.transport>
  type Values = () => Array<readonly [Labels, number]>
  const byTransport = (value: (transport: Transport) => number): Values => () =>
    [...counters.all()].map(([transport, counted]) => [{ transport }, value(counted)])
  const byLabels = (
    counts: ReadonlyMap<string, { readonly labels: object, readonly count: number }>
  ): Values => () =>
    [...counts.values()].map(({ labels, count }) => [{ ...labels }, count] as const)
  const byCode = (codes: (transport: Transport) => ReadonlyMap<string, number>): Values => () =>
    [...counters.all()].flatMap(([transport, counted]) =>
      [...codes(counted)].map(([code, count]) => [{ transport, code }, count] as const))

  add(Gauge, 'connections', 'Open connections, and polls that the server is answering', ['transport'],
    byTransport(({ opened, closed }) => opened - closed))
  add(Counter, 'connections_opened_total', 'Connections and polls since the start', ['transport'],
    byTransport(({ opened }) => opened))
  add(Counter, 'connections_closed_total', 'Connections that this server closed, by reason',
    ['transport', 'code'], byCode(({ closes }) => closes))
  add(Gauge, 'subscriptions', 'Selectors of all connections', [], () => [[{}, counters.subscriptions]])
  add(Gauge, 'selectors', 'Different selectors that somebody subscribes to', [],
    () => [[{}, hub.audience.size]])
  add(Gauge, 'log_available', 'Whether the server can reach the log', [],
    () => [[{}, hub.logAvailable ? 1 : 0]])
  add(Gauge, 'shards_followed', 'Shards of the log that this server follows, for its clients and for itself',
    [], () => [[{}, hub.shards.filter(({ isAwake }) => isAwake).length]])
  add(Counter, 'messages_received_total', 'Messages that came from the log', [],
    () => [[{}, counters.received]])
  add(Counter, 'batches_received_total', 'Batches of messages that came from the log', [],
    () => [[{}, counters.batches]])
  add(Gauge, 'source_running', 'Whether a source runs on this server', ['source'],
    () => sources.status().map(({ name, state }) => [{ source: name }, state === 'running' ? 1 : 0]))
  type Feed = ReturnType<typeof sources.feeds>[number]['counts']
  const byFeed = (value: (feed: Feed) => number): Values => () =>
    sources.feeds().map(({ name, counts }) => [{ source: name }, value(counts)])
  add(Gauge, 'venue_connections', 'Connections of this server to a venue that stand now', ['source'],
    byFeed(({ connections }) => connections))
  add(Counter, 'venue_frames_total', 'Messages that came from a venue', ['source'],
    byFeed(({ frames }) => frames))
  add(Counter, 'venue_connections_lost_total',
    'Connections to a venue that were lost and made again, by reason', ['source', 'reason'],
    () => sources.feeds().flatMap(({ name, counts }) =>
      [...counts.losses].map(([reason, count]) => [{ source: name, reason }, count] as const)))
  add(Counter, 'venue_symbols_refused_total', 'Symbols that a venue refused', ['source'],
    byFeed(({ refused }) => refused))
  add(Counter, 'venue_trades_missed_total',
    'Trades of a venue that did not come, as the numbers of others show', ['source'],
    byFeed(({ missedTrades }) => missedTrades))
  add(Counter, 'source_appends_refused_total',
    'Appends of a source that the log refused because another server has taken the source over', ['source'],
    () => [...counters.fenced].map(([source, count]) => [{ source }, count] as const))
  add(Counter, 'source_messages_refused_total',
    'Messages of sources that the server could not deliver, and updates of books that were stale for that',
    ['source', 'channel', 'code'],
    byLabels(counters.sourceRefusals))
  add(Counter, 'source_events_total',
    'What sources count of themselves, such as how often a news feed was read, or could not be',
    ['source', 'part', 'event'],
    byLabels(counters.sourceEvents))
  add(Counter, 'books_stale_total', 'How often a book became stale by what its venue sent, by reason',
    ['source', 'reason'],
    byLabels(counters.staleBooks))
  add(Counter, 'bars_trades_ignored_total',
    'Trades that are in no bar: more than 15 minutes late, ahead of the time, without a usable size, or ' +
    'with corrections that are too many or make a circle',
    ['reason'], () => [...counters.ignoredTrades].map(([reason, count]) => [{ reason }, count] as const))
  add(Counter, 'messages_sent_total', 'Data messages and resets sent to clients', ['transport'],
    byTransport(({ messages }) => messages))
  add(Counter, 'sent_bytes_total', 'Bytes of messages sent to clients, with their framing', ['transport'],
    byTransport(({ bytes }) => bytes))
  add(Counter, 'catch_ups_total',
    'Catch-ups begun, at a position of the client (resume) or at the present (fresh)', ['transport', 'start'],
    () => [...counters.all()].flatMap(([transport, { resumes, fresh }]) =>
      [[{ transport, start: 'resume' }, resumes], [{ transport, start: 'fresh' }, fresh]] as const))
  add(Gauge, 'lagging_connections', 'Connections that read too slowly, and are served from the log',
    ['transport'], byTransport(({ lagging }) => lagging))
  add(Counter, 'lags_total', 'How often a connection left live delivery because it read too slowly',
    ['transport'], byTransport(({ lags }) => lags))
  add(Counter, 'acknowledgements_total', 'How often users acknowledged messages', ['channel'],
    () => [...counters.acknowledged].map(([channel, { times }]) => [{ channel }, times] as const))
  add(Counter, 'acknowledged_messages_total', 'Messages that users acknowledged', ['channel'],
    () => [...counters.acknowledged].map(([channel, { messages }]) => [{ channel }, messages] as const))
  add(Gauge, 'unacknowledged_users',
    'Users who have not acknowledged a message for longer than ACK_ALERT_SECONDS; one server knows',
    ['channel'],
    () => [...counters.overdue].map(([channel, { users }]) => [{ channel }, users] as const))
  add(Gauge, 'unacknowledged_seconds', 'How long the oldest of their messages has not been acknowledged',
    ['channel'], () => [...counters.overdue].map(([channel, { since }]) =>
      [{ channel }, since === undefined ? 0 : (Date.now() - since) / 1000] as const))
  add(Gauge, 'alert_rules', 'Alert rules of all users that have not expired', [],
    () => [[{}, app.streaming.ruleDemand()?.items ?? 0]])
  add(Gauge, 'strategies', 'Strategies of all users that run or are paused', [],
    () => [[{}, app.streaming.strategyDemand()?.items ?? 0]])
  add(Counter, 'resets_total', 'Resets sent to clients, by reason', ['reason'],
    () => Object.entries(counters.resets).map(([reason, count]) => [{ reason }, count] as const))
  add(Counter, 'topic_failures_total',
    'Errors that a channel or an encoder threw while the server passed on messages, by channel and place',
    ['channel', 'place'],
    () => [...counters.failures].flatMap(([channel, places]) =>
      [...places].map(([place, count]) => [{ channel, place }, count] as const)))
  add(Counter, 'heatmap_queries_total', 'Queries for heatmaps', [], () => [[{}, heatmaps.queries]])
  add(Counter, 'heatmap_failures_total', 'Heatmaps that could not be made, by reason', ['reason'],
    () => Object.entries(heatmaps.failures).map(([reason, count]) => [{ reason }, count] as const))
  add(Counter, 'heatmaps_total', 'Heatmaps that were published, and those that had not changed', ['result'],
    () => [[{ result: 'sent' }, heatmaps.sent], [{ result: 'unchanged' }, heatmaps.unchanged]])
  add(Counter, 'heatmap_cut_bytes_total', 'Bytes of levels that were cut from heatmaps', [],
    () => [[{}, heatmaps.cutBytes]])
  add(Counter, 'refusals_total', 'Requests and messages refused, by error code', ['transport', 'code'],
    byCode(({ refusals }) => refusals))

  const latency = new Histogram({
    name: 'tickwire_publish_to_socket_seconds',
    help: "From the time at which the log took a window's oldest message to the write to its last subscriber",
    buckets: LATENCY_BUCKETS_SECONDS,
    registers: [registry]
  })
  const queries = new Histogram({
    name: 'tickwire_heatmap_query_seconds',
    help: 'How long queries for heatmaps take',
    buckets: LATENCY_BUCKETS_SECONDS,
    registers: [registry]
  })
  heatmaps.onQuery = milliseconds => { queries.observe(milliseconds / 1000) }
  counters.onWindow = milliseconds => { latency.observe(milliseconds / 1000) }

  app.get('/metrics', { schema: { hide: true }, config: { rateLimit: false } }, async (_request, reply) =>
    await reply.header('Cache-Control', 'no-store').type(registry.contentType).send(
      workers === undefined ? await registry.metrics() : await metricsOfAll(registry, workers)))
  app.addHook('onClose', async () => { registry.clear() })
}

/**
 * Returns the metrics of all workers of this machine, whichever of them is asked: they share a port. Each
 * series says its worker.
 */
async function metricsOfAll (registry: Registry, workers: Workers): Promise<string> {
  const [own, { texts, silent }] = await Promise.all([registry.metrics(), workers.gatherMetrics()])
  const about = new Registry()
  new Gauge({
    name: 'tickwire_workers_silent',
    help: 'Workers of this server that did not tell their metrics in time, so that they are missing here',
    registers: [about]
  }).set(silent)
  return mergeMetrics([own, ...texts, await about.metrics()])
}
