import { unwatchFile, watchFile } from 'node:fs'
import type { Server } from 'node:tls'
import fp from 'fastify-plugin'
import { type KeyPair, type KeyPairFiles, readKeyPair, tlsOptions } from '../src/tls.js'

export interface CertificateOptions {
  readonly files: KeyPairFiles
  /** What the server was started with. */
  readonly pair: KeyPair
}

/** How often the files are looked at. A look is two calls of `stat`, and sees what links point to, on any file system (ADR 24). */
const LOOK_MS = 1000

/**
 * New connections are given the certificate that is in the files now; those that are open go on as they are. A pair that
 * cannot be used, half written or of two certificates, is logged, and the one before stays.
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
      app.log.warn({ event: 'certificate', reason: (error as Error).message }, 'the certificate was not reloaded; the one before stays')
    }
  }
  // One after another: what is read last is what was written last.
  let reloads = Promise.resolve()
  const onChange = (): void => { reloads = reloads.then(reload) }
  const paths = [files.cert, files.key]

  app.addHook('onReady', async () => {
    tell()
    for (const path of paths) watchFile(path, { interval: LOOK_MS, persistent: false }, onChange)
    // What was written since the pair was read has changed nothing that will be seen.
    onChange()
  })
  app.addHook('onClose', async () => { for (const path of paths) unwatchFile(path, onChange) })
}, { name: 'tickwire-certificate', fastify: '5.x' })
