import { openSync, closeSync, realpathSync } from 'node:fs'
import cluster from 'node:cluster'
import { lookup } from 'node:dns/promises'
import type { AddressInfo } from 'node:net'
import { constants } from 'node:os'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import closeWithGrace from 'close-with-grace'
import type { FastifyInstance } from 'fastify'
import { LOCALHOST } from '../plugins/localhost.js'
import { buildApp, makeLogger, type Parts } from './app.js'
import { LINK_SECONDS } from './auth/admin-links.js'
import { type Config, ConfigError, loadConfig } from './config.js'
import { LocalCoordination } from './local/local-coordination.js'
import { LocalLink } from './local/local-link.js'
import { LocalLog } from './local/local-log.js'
import { LogSetupError } from './log/setup-error.js'
import { environmentNotices } from './notices.js'
import { warmUp } from './warm-up/warm-up.js'
import { PoolFailure } from './workers/pool.js'
import { Primary } from './workers/primary.js'
import { PrimaryLink, tell } from './workers/primary-link.js'
import { type Seat, takeSeat } from './workers/seat.js'
import { workersOf } from './workers/settings.js'

/** The exit code of a process that a signal ended is this and the signal's number, as shells have it. */
const BY_SIGNAL = 128
const SECOND_SIGNAL = 'a second signal ends the server before it has said goodbye to all clients'
/** How long the first process waits for workers beyond the time that they have to close. */
const WORKERS_MARGIN_MS = 10_000
const MOST_NAME = 64
/** Signals that the first process acts on: those that a terminal sends to all processes of a server. */
const OF_THE_PRIMARY = ['SIGHUP', 'SIGINT', 'SIGTERM'] as const

/**
 * Runs the server as a process, until a signal closes it gracefully. With several workers, this process
 * starts them and is their first, or is one of them.
 * @returns the exit code, 0 once it listens
 */
export async function serve (): Promise<number> {
  const seat = takeSeat(process.env)
  try {
    const config = loadConfig(process.env)
    if (seat !== undefined) await serveAsWorker(config, seat)
    else if (workersOf(config) > 1) await serveByWorkers(config)
    else await serveAlone(config)
    return 0
  } catch (error) {
    const known = error instanceof ConfigError || error instanceof LogSetupError ||
      error instanceof PoolFailure || (error instanceof Error && 'code' in error)
    if (seat === undefined) {
      console.error(known ? `tickwire: ${(error as Error).message}` : error)
      return 1
    }
    // The first process says it, once for all workers.
    tell({ kind: 'failed', message: known ? (error as Error).message : inspect(error) }, () => {
      process.exit(1)
    })
    return 1
  }
}

type Warmed = { readonly batches: number, readonly took_ms: number } | { readonly error: unknown } | undefined

/** Warms up. A server whose warm-up fails starts all the same. */
async function warmedUp (config: Config): Promise<Warmed> {
  if (config.WARM_UP_MS === 0) return undefined
  const began = performance.now()
  try {
    const batches = await warmUp(config, config.WARM_UP_MS)
    return { batches, took_ms: Math.round(performance.now() - began) }
  } catch (error) {
    return { error }
  }
}

function sayWarmed ({ log }: FastifyInstance, warmed: Warmed): void {
  if (warmed === undefined) return
  if ('error' in warmed) {
    log.warn({ err: warmed.error as Error }, 'the warm-up failed: the first seconds will be slower')
  } else log.info(warmed, 'the server has warmed up')
}

async function serveAlone (config: Config): Promise<void> {
  const warmed = await warmedUp(config)
  const adminLink = (path: string): void => { void listening.then(address => { showLink(address + path) }) }
  const app = await buildApp(config, { adminLink })
  sayWarmed(app, warmed)
  for (const notice of environmentNotices(process.env, config)) app.log.warn(notice)
  const listening = listen(app, config)
  const address = await listening
  closeApp(app, config, signal => {
    app.log.warn({ signal }, SECOND_SIGNAL)
    process.exit(BY_SIGNAL + constants.signals[signal])
  })
  console.log(`tickwire listens on ${address}`)
}

/** Serves clients as one of several workers, on the port of all. */
async function serveAsWorker (config: Config, seat: Seat): Promise<void> {
  let close: () => void = () => { process.exit(0) }
  const workers = new PrimaryLink(seat, () => { close() })
  // A terminal sends its signals to all processes, and the first one says what comes of them.
  for (const signal of OF_THE_PRIMARY) process.on(signal, () => { if (signal === 'SIGTERM') close() })
  const warmed = await warmedUp(config)
  const app = await buildApp({
    ...config,
    PORT: seat.port ?? config.PORT,
    JWT_SECRET: seat.secret ?? config.JWT_SECRET,
    NODE_NAME: config.NODE_NAME === undefined ? undefined : workerName(config.NODE_NAME, seat)
  } as Config, { workers, adminLink: () => {}, ...await heldByPrimary(seat) })
  sayWarmed(app, warmed)
  cluster.worker!.once('disconnect', () => {
    app.log.fatal('the first process is gone: this worker ends')
    process.exit(1)
  })
  const address = await listen(app, { ...config, PORT: seat.port ?? config.PORT })
  const { close: closeOnce } = closeApp(app, config, () => {}, OF_THE_PRIMARY)
  let isClosing = false
  close = () => {
    if (isClosing) return
    isClosing = true
    void closeOnce()
  }
  tell({ kind: 'ready', address, port: (app.server.address() as AddressInfo).port })
}

/** Returns the name of one worker of a node that has a name: as long as NODE_NAME may be. */
function workerName (name: string, { number }: Seat): string {
  const suffix = `-${number}`
  return name.slice(0, MOST_NAME - suffix.length) + suffix
}

/** Connects to what the first process holds; nothing if there is a Redis. */
async function heldByPrimary ({ socket }: Seat): Promise<Pick<Parts, 'log' | 'coordination'>> {
  if (socket === undefined) return {}
  const link = await LocalLink.open(socket, (error, message) => {
    console.error(`tickwire: ${message}: ${String(error)}`)
  })
  return { log: new LocalLog(link), coordination: new LocalCoordination(link) }
}

/** Serves clients by several workers, which this process starts and replaces. */
async function serveByWorkers (config: Config): Promise<void> {
  if (!cluster.isPrimary) {
    throw new ConfigError(`WORKERS=${config.WORKERS}: this process is a worker of another program already; ` +
      'set WORKERS=1')
  }
  const log = makeLogger(config)
  for (const notice of environmentNotices(process.env, config)) log.warn(notice)
  const count = workersOf(config)
  let onHangUp = (): void => {}
  process.on('SIGHUP', () => { onHangUp() })
  const primary = await Primary.start({
    config, count, log, program: workerProgram(), showLink: path => { showLink(primary.address + path) }
  })
  const exit = closeWithGrace({
    delay: config.SHUTDOWN_GRACE_MS + WORKERS_MARGIN_MS,
    skip: ['SIGHUP'],
    logger: { error: error => { log.error({ err: error as Error }, 'closing failed') } },
    onSecondSignal: signal => {
      log.warn({ signal }, SECOND_SIGNAL)
      primary.kill()
      process.exit(BY_SIGNAL + constants.signals[signal])
    },
    onSecondError: error => { log.fatal({ err: error }, 'the server failed while it closed') },
    onTimeout: () => { log.error('closing the workers took too long') }
  }, async ({ err: error, signal }) => {
    if (error !== undefined) log.fatal({ err: error }, 'the server failed')
    else log.info({ signal, workers: count }, 'closing')
    await primary.close()
    log.info('closed')
  })
  primary.failed.catch((error: unknown) => {
    log.fatal({ err: error as Error }, 'no worker can be kept running: the server ends')
    console.error(`tickwire: ${(error as Error).message}`)
    primary.kill()
    process.exit(1)
  })
  const hadTerminal = hasTerminal()
  onHangUp = () => {
    // The system sends it, too, when the terminal of this process is closed.
    if (hadTerminal && !hasTerminal()) void exit.close()
    else void primary.roll()
  }
  console.log(`tickwire listens on ${primary.address} (${count} workers)`)
  const { NODE_ENV, JWT_PUBLIC_KEY, JWT_JWKS_URL } = config
  if (NODE_ENV !== 'production' && (JWT_PUBLIC_KEY ?? JWT_JWKS_URL) === undefined) primary.offerLink()
}

/**
 * Returns the program that workers run. It keeps the path by which this process was started: what lies there
 * later is what SIGHUP starts, although it is a link to somewhere else by then.
 */
function workerProgram (): [exec: string, ...args: string[]] {
  const command = fileURLToPath(new URL('cli/tickwire.js', import.meta.url))
  const [, started = command] = process.argv
  return [isSameFile(started, command) ? started : command, 'start']
}

function isSameFile (one: string, other: string): boolean {
  try {
    return realpathSync(one) === realpathSync(other)
  } catch {
    return false
  }
}

/** Whether a terminal controls this process now. */
function hasTerminal (): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'))
    return true
  } catch {
    return false
  }
}

/** Has an application listen. @throws ConfigError that says why it cannot; the application is closed then */
async function listen (app: FastifyInstance, config: Pick<Config, 'HOST' | 'PORT'>): Promise<string> {
  try {
    return await app.listen({ port: config.PORT, host: await firstAddress(config.HOST) })
  } catch (error) {
    // Otherwise its sources would keep the process alive, which does not listen.
    await app.close()
    throw listenError(error, config)
  }
}

type Signal = keyof typeof constants.signals

/**
 * Closes an application gracefully at a signal, and ends the process.
 * @param skip signals that do not close it
 */
function closeApp (
  app: FastifyInstance, config: Config, onSecondSignal: (signal: Signal) => void,
  skip: ReadonlyArray<typeof OF_THE_PRIMARY[number]> = []
): ReturnType<typeof closeWithGrace> {
  return closeWithGrace({
    delay: config.SHUTDOWN_GRACE_MS,
    skip: [...skip],
    logger: { error: error => { app.log.error({ err: error as Error }, 'closing failed') } },
    onSecondSignal,
    onSecondError: error => { app.log.fatal({ err: error }, 'the server failed while it closed') },
    onTimeout: () => {
      app.log.error({ grace_ms: config.SHUTDOWN_GRACE_MS }, 'closing took longer than SHUTDOWN_GRACE_MS')
    }
  }, async ({ err: error, signal }) => {
    if (error !== undefined) app.log.fatal({ err: error }, 'the server failed')
    else app.log.info({ signal, connections: app.tickwire.parts.connections.active }, 'closing')
    await app.close()
    app.log.info('closed')
  })
}

/** Writes the link to the standard error: the standard output has the log, which is often kept. */
function showLink (link: string): void {
  console.error('tickwire: to operate this server from its page, ' +
    `open within ${LINK_SECONDS / 60} minutes, in one browser:\n  ${link}`)
}

/**
 * Returns the first address of `localhost`, and any other host as it is: plugins/localhost.ts serves the
 * other addresses.
 */
const firstAddress = async (host: string): Promise<string> =>
  host === LOCALHOST ? (await lookup(host)).address : host

/** Says what to do if the server cannot listen on an address; returns other errors as they are. */
function listenError (error: unknown, { HOST, PORT }: Pick<Config, 'HOST' | 'PORT'>): unknown {
  switch (error instanceof Error && 'code' in error ? error.code : undefined) {
    case 'EADDRINUSE':
      return new ConfigError(`port ${PORT} of ${HOST} is taken; stop what listens there, ` +
        'or choose another with PORT')
    case 'EADDRNOTAVAIL': return new ConfigError(`HOST=${HOST} is not an address of this machine`)
    case 'EACCES': return new ConfigError(`PORT=${PORT} needs privileges; choose one above 1023`)
    default: return error
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.exitCode = await serve()
}
