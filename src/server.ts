import { pathToFileURL } from 'node:url'
import closeWithGrace from 'close-with-grace'
import { buildApp } from './app.js'
import { ConfigError, loadConfig } from './config.js'

/** The process: configuration, listening, and a close that lets clients know. @returns the exit code, 0 once it listens */
export async function serve (): Promise<number> {
  try {
    const config = loadConfig(process.env)
    const app = await buildApp(config)
    closeWithGrace({ delay: config.SHUTDOWN_GRACE_MS }, async ({ err: error, signal }) => {
      if (error !== undefined) app.log.fatal({ err: error }, 'the server failed')
      else app.log.info({ signal }, 'closing')
      await app.close()
    })
    const address = await app.listen({ port: config.PORT, host: config.HOST })
    console.log(`tickwire listens on ${address}`)
    return 0
  } catch (error) {
    const known = error instanceof ConfigError || (error instanceof Error && 'code' in error)
    console.error(known ? `tickwire: ${(error as Error).message}` : error)
    return 1
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) process.exitCode = await serve()
