import { unwatchFile, watchFile } from 'node:fs'
import type { Server } from 'node:tls'
import fp from 'fastify-plugin'
import { type KeyPair, type KeyPairFiles, readKeyPair, tlsOptions } from '../src/tls.js'

export interface CertificateOptions {
  readonly files: KeyPairFiles
  /** The pair with which the server was started. */
  readonly pair: KeyPair
}

/**
 * How often to look at the files. A look is two calls of `stat`; it follows links, on any file system (ADR
 * 24).
 */
const LOOK_MS = 1000

/**
 * Gives new connections the certificate that is in the files now; open connections go on as they are. If a
 * pair cannot be used, because it is half written or of two certificates, the plugin logs that and keeps the
 * pair before.
 */
export const certificate = fp<CertificateOptions>(async (app, { files, pair }) => {
  const server = app.server as unknown as Server
  let inUse = pair
  const tell = (): void => {
    const details = { event: 'certificate', valid_to: inUse.validTo }
    if (Date.parse(inUse.validTo) > Date.now()) app.log.info(details, 'this certificate is in use')
    else app.log.warn(details, 'this certificate is in use and has expired')
  }
  const reload = async (): Promise<void> => {
    try {
      const read = await readKeyPair(files)
      if (read.cert.equals(inUse.cert) && read.key.equals(inUse.key)) return
      server.setSecureContext(tlsOptions(read))
      inUse = read
      tell()
    } catch (error) {
      const { message: reason } = error as Error
      app.log.warn({ event: 'certificate', reason },
        'the new certificate cannot be used; the one before stays in use')
    }
  }
  // One reload at a time, so that the last one reads what was written last.
  let reloads = Promise.resolve()
  const onChange = (): void => { reloads = reloads.then(reload) }
  const paths = [files.cert, files.key]

  app.addHook('onReady', async () => {
    tell()
    for (const path of paths) watchFile(path, { interval: LOOK_MS, persistent: false }, onChange)
    // The files may have changed after the pair was read and before the watch began.
    onChange()
  })
  app.addHook('onClose', async () => { for (const path of paths) unwatchFile(path, onChange) })
}, { name: 'tickwire-certificate', fastify: '5.x' })
