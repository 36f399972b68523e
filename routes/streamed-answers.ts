import { Readable } from 'node:stream'
import { ProtocolError } from '@tickwire/protocol'
import type { FastifyReply } from 'fastify'
import { ReadingPace } from '../src/transports/reading-pace.js'
import { untaken } from '../src/transports/untaken.js'

/** Answers that are streamed at the same time: each keeps a part of what it tells in memory. */
const MAX_STREAMS = 16
/** Of them, for one user, or for one address without a user. */
const MAX_STREAMS_EACH = 4
const LOOK_MS = 3000
/** What is given to the socket at a time. */
const CHUNK_CHARACTERS = 65_536

interface Streamed {
  /** The media type. */
  readonly type: string
  /** Whose request it is (`callerOf`). */
  readonly caller: string
  readonly lines: AsyncGenerator<string>
}

/** Sends answers of many lines, each as its client reads it. */
export class StreamedAnswers {
  /** By the callers of the answers that are streamed now. */
  private readonly streams: string[] = []

  /**
   * Sends lines as the client reads them.
   * @throws ProtocolError `overloaded`; whatever the first lines fail with
   */
  async send (reply: FastifyReply, { type, caller, lines }: Streamed): Promise<FastifyReply> {
    reply.type(type)
    if (reply.request.method === 'HEAD') return await reply.send('')
    const leave = this.enter(caller)
    const chunks = inChunks(lines)
    try {
      // A failure before anything was sent is answered as any other.
      const first = await chunks.next()
      const stream = Readable.from(startingWith(first, chunks), { objectMode: false })
      const cutIfUnread = watch(reply, stream)
      stream.once('close', () => {
        cutIfUnread()
        leave()
      })
      return await reply.send(stream)
    } catch (error) {
      leave()
      throw error
    }
  }

  /** Counts one more answer. @returns what takes it off again @throws ProtocolError `overloaded` */
  private enter (caller: string): () => void {
    const { streams } = this
    const refused = (limit: string): ProtocolError => new ProtocolError('overloaded',
      `this server streams at most ${limit} at a time: send the request again when another one has ended`)
    if (streams.filter(other => other === caller).length >= MAX_STREAMS_EACH) {
      throw refused(`${MAX_STREAMS_EACH} histories for a user, or for an address without one,`)
    }
    if (streams.length >= MAX_STREAMS) throw refused(`${MAX_STREAMS} histories`)
    streams.push(caller)
    let isOpen = true
    return () => {
      if (isOpen) streams.splice(streams.indexOf(caller), 1)
      isOpen = false
    }
  }
}

/** Joins lines, so that not each of them is a write. */
async function * inChunks (lines: AsyncGenerator<string>): AsyncGenerator<string> {
  let chunk = ''
  for await (const line of lines) {
    chunk += line
    if (chunk.length < CHUNK_CHARACTERS) continue
    yield chunk
    chunk = ''
  }
  if (chunk !== '') yield chunk
}

async function * startingWith (
  first: IteratorResult<string>, rest: AsyncGenerator<string>
): AsyncGenerator<string> {
  if (first.done !== true) yield first.value
  yield * rest
}

/** Cuts the answer if its peer reads it too slowly. @returns a function that ends this */
function watch (reply: FastifyReply, stream: Readable): () => void {
  const pace = new ReadingPace(performance.now())
  const looks = setInterval(() => {
    // An answer has no socket while it waits behind another one on its connection, which may last for ever.
    const { socket } = reply.raw
    const left = socket === null ? 0 : untaken(socket) ?? 0
    const taken = (socket?.bytesWritten ?? 0) - left
    if (!pace.isTooSlow({ now: performance.now(), taken, isUnread: socket === null || left > 0 })) return
    reply.raw.destroy()
    stream.destroy()
  }, LOOK_MS).unref()
  return () => { clearInterval(looks) }
}
