import { lookup } from 'node:dns/promises'
import { constants } from 'node:os'
import { pathToFileURL } from 'node:url'
import closeWithGrace from 'close-with-grace'
import { LOCALHOST } from '../plugins/localhost.js'
import { buildApp } from './app.js'
import { LINK_SECONDS } from './auth/admin-links.js'
import { type Config, ConfigError, loadConfig } from './config.js'
import { LogSetupError } from './log/redis/setup.js'
import { environmentNotices } from './notices.js'
import { warmUp } from './warm-up/warm-up.js'

/** The exit code of a process that a signal ended is this and the signal's number, as shells have it. */
const BY_SIGNAL = 128

/**
 * Runs the server as a process, until a signal closes it gracefully.
 * @returns the exit code, 0 once it listens
 */
export async function serve (): Promise<number> {
  try {
    const config = loadConfig(process.env)
    const warmed = config.WARM_UP_MS === 0 ? undefined : await warmedUp(config)
    const adminLink = (path: string): void => { void listening.then(address => { showLink(address + path) }) }
    const app = await buildApp(config, { adminLink })
    if (warmed?.error !== undefined) {
      app.log.warn({ err: warmed.error }, 'the warm-up failed: the first seconds will be slower')
    } else if (warmed !== undefined) app.log.info(warmed, 'the server has warmed up')
    for (const notice of environmentNotices(process.env, config)) app.log.warn(notice)
    const host = await firstAddress(config.HOST)
    const listening = app.listen({ port: config.PORT, host }).catch(async (error: unknown) => {
      // Otherwise its sources would keep the process alive, which does not listen.
      await app.close()
      throw listenError(error, config)
    })
    const address = await listening
    closeWithGrace({
      delay: config.SHUTDOWN_GRACE_MS,
      logger: { error: error => { app.log.error({ err: error }, 'closing failed') } },
      onSecondSignal: signal => {
        app.log.warn({ signal }, 'a second signal ends the server before it has said goodbye to all clients')
        process.exit(BY_SIGNAL + constants.signals[signal])
      },
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
    console.log(`tickwire listens on ${address}`)
    return 0
  } catch (error) {
    const known = error instanceof ConfigError || error instanceof LogSetupError ||
      (error instanceof Error && 'code' in error)
    console.error(known ? `tickwire: ${(error as Error).message}` : error)
    return 1
  }
}

/** Warms up. A server whose warm-up fails starts all the same. */
async function warmedUp (config: Config): Promise<{ batches?: number, took_ms?: number, error?: unknown }> {
  const began = performance.now()
  try {
    const batches = await warmUp(config, config.WARM_UP_MS)
    return { batches, took_ms: Math.round(performance.now() - began) }
  } catch (error) {
    return { error }
  }
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
function listenError (error: unknown, { HOST, PORT }: Config): unknown {
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
