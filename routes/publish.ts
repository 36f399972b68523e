import type { Static } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { type Channels, decodeText, type ErrorCode, type JsonItem, parseParameters, ProtocolError, readJson, readJsonItems, searchOf } from '@tickwire/protocol'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { PublishItem, publishSchema } from './schemas.js'
import type { Identity } from '../src/auth/identity.js'
import { type OriginPolicy, refuseForeignPage } from '../src/auth/origin.js'
import type { PublishResult } from '../src/publisher/publisher.js'

/** Largest body; a single message of it has its own bound. */
const MAX_BODY_BYTES = 8 * 1024 * 1024
const MAX_ITEMS = 10_000

const itemCheck = TypeCompiler.Compile(PublishItem)

/** `POST /v1/publish`: one object, an array, or lines of JSON. */
export async function publishRoutes (app: FastifyInstance, { originAllowed, maxMessageBytes }: { originAllowed: OriginPolicy, maxMessageBytes: number }): Promise<void> {
  const { channels, events, publisher, permitPublish } = app.streaming

  app.addHook('onRequest', async request => {
    refuseForeignPage(originAllowed, request)
    parseParameters(searchOf(request.url), [])
  })

  // As bytes: only the whole body can tell whether it is text.
  app.removeContentTypeParser('application/json')
  for (const [types, read] of [['application/json', readBody], [['application/x-ndjson', 'application/ndjson'], readLines]] as const) {
    app.addContentTypeParser([...[types].flat()], { parseAs: 'buffer', bodyLimit: MAX_BODY_BYTES }, async (_request: FastifyRequest, body: Buffer) => read(decodeText(body)))
  }

  /** Who publishes, by what was said before the body: nobody's body is not waited for. */
  const publishers = new WeakMap<FastifyRequest, Identity>()
  const identify = async (request: FastifyRequest): Promise<void> => {
    publishers.set(request, await app.authenticator.demand(request, ({ user }) => user === undefined ? 'unauthorized' : undefined))
  }

  app.post('/v1/publish', { bodyLimit: MAX_BODY_BYTES, schema: publishSchema, onRequest: identify }, async (request, reply) => {
    const identity = publishers.get(request)!
    if (!Array.isArray(request.body)) throw new ProtocolError('invalid_message', NO_MESSAGES)
    const body = request.body as JsonItem[]
    if (body.length > MAX_ITEMS) throw new ProtocolError('message_too_big', `a batch has at most ${MAX_ITEMS} messages`)
    const results = new Array<PublishResult>(body.length)
    const good: Array<Static<typeof PublishItem>> = []
    const places: number[] = []
    for (const [place, { value, error }] of body.entries()) {
      if (error !== undefined) results[place] = { code: error.code, message: error.message }
      else if (itemCheck.Check(value)) {
        good.push(value)
        places.push(place)
      } else results[place] = { code: 'invalid_message', message: 'a message has channel, symbol, data, and optionally snapshot, idempotency_key, user' }
    }
    const published = await publisher.publish(good.map(item => ({ ...item, idempotencyKey: item.idempotency_key })), {
      publisher: identity.user ?? '',
      maxMessageBytes,
      permit: permitPublish(identity)
    })
    for (const [index, result] of published.entries()) results[places[index]!] = result
    events.published({ transport: 'http', address: request.ip, user: identity.user }, tallyOf(channels, body.map(({ value }) => value), results))
    const rejected = results.flatMap((result, index) => 'code' in result ? [{ index, ...result }] : [])
    const forbidden: readonly ErrorCode[] = ['forbidden']
    if (rejected.length > 0 && rejected.length === results.length && rejected.every(({ code }) => forbidden.includes(code))) {
      throw new ProtocolError('forbidden', 'the token permits none of these messages')
    }
    return await reply.header('Cache-Control', 'no-store').send({
      accepted: results.length - rejected.length,
      rejected,
      sequences: results.map(result => 'sequence' in result ? result.sequence : null)
    })
  })
}

const NO_MESSAGES = 'the body is a message, an array of messages, or a line for each'

/** @throws ProtocolError `invalid_json`, `invalid_message` */
function readBody (text: string): JsonItem[] {
  const items = readJsonItems(text)
  const [first] = items
  // An array has any items, and each has its answer.
  if (items.length === 1 && (typeof first!.value !== 'object' || first!.value === null) && !/^\s*\[/.test(text)) throw new ProtocolError('invalid_message', NO_MESSAGES)
  return items
}

/** @throws ProtocolError `invalid_json` */
function readLines (text: string): JsonItem[] {
  return text.split('\n').flatMap((line, index) => {
    // The mark of byte order is a space to it.
    if (line.trim() === '') return []
    try {
      return readJson(line)
    } catch (error) {
      throw error instanceof ProtocolError ? new ProtocolError(error.code, `line ${index + 1}: ${error.message}`) : error
    }
  })
}

/** What is counted for what names no channel that there is. */
const NO_CHANNEL = '(none)'

/** By channel, what became of a batch. */
function tallyOf (channels: Channels, items: readonly unknown[], results: readonly PublishResult[]): Map<string, { accepted: number, rejected: number }> {
  const tally = new Map<string, { accepted: number, rejected: number }>()
  for (const [index, item] of items.entries()) {
    const named = (item as { channel?: unknown } | null)?.channel
    const channel = typeof named === 'string' && channels.has(named) ? named : NO_CHANNEL
    let counts = tally.get(channel)
    if (counts === undefined) tally.set(channel, counts = { accepted: 0, rejected: 0 })
    counts['sequence' in results[index]! ? 'accepted' : 'rejected']++
  }
  return tally
}
