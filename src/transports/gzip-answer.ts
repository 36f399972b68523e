import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { FastifyRequest } from 'fastify'
import { acceptsGzip } from './accept-encoding.js'

/** Shorter answers fit into one packet as they are. */
const GZIP_FROM_BYTES = 1024
const LEVEL = 4

const gzipped = promisify(gzip)

export interface AnswerBody {
  readonly bytes: Buffer
  /** What the answer must say of it. */
  readonly headers: Record<string, string>
}

/** The body of an answer, which nobody shares: compressed where that pays and the client can read it. */
export async function answerBody (request: FastifyRequest, text: string, compression: boolean): Promise<AnswerBody> {
  const bytes = Buffer.from(text)
  if (!compression || bytes.length < GZIP_FROM_BYTES || !acceptsGzip(request.headers['accept-encoding'])) return { bytes, headers: {} }
  return { bytes: await gzipped(bytes, { level: LEVEL }), headers: { 'Content-Encoding': 'gzip' } }
}
