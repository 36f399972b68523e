import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { FastifyRequest } from 'fastify'
import { acceptsGzip } from './accept-encoding.js'

/** Shorter answers fit into one packet uncompressed. */
const GZIP_FROM_BYTES = 1024
const LEVEL = 4

const gzipAsync = promisify(gzip)

export interface AnswerBody {
  readonly bytes: Buffer
  /** The headers that the answer needs for this body. */
  readonly headers: Record<string, string>
}

/** Returns the body of an answer to one client: compressed, if that pays and the client can read it. */
export async function answerBody (
  request: FastifyRequest, text: string, compression: boolean
): Promise<AnswerBody> {
  const bytes = Buffer.from(text)
  const isWorthIt = compression && bytes.length >= GZIP_FROM_BYTES
  if (!isWorthIt || !acceptsGzip(request.headers['accept-encoding'])) return { bytes, headers: {} }
  return { bytes: await gzipAsync(bytes, { level: LEVEL }), headers: { 'Content-Encoding': 'gzip' } }
}
