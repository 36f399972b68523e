import type { Static } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { type Channels, type ErrorCode, parseParameters, ProtocolError, searchOf } from '@tickwire/protocol'
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

  app.addContentTypeParser(['application/x-ndjson', 'application/ndjson'], { parseAs: 'string', bodyLimit: MAX_BODY_BYTES }, (_request, body, done) => {
    try {
      done(null, String(body).split('\n').filter(line => line.trim() !== '').map(line => JSON.parse(line) as unknown))
    } catch {
      done(new ProtocolError('invalid_json', 'a line of the body is not JSON'))
    }
  })

  /** Who publishes, by what was said before the body: nobody's body is not waited for. */
  const publishers = new WeakMap<FastifyRequest, Identity>()
  const identify = async (request: FastifyRequest): Promise<void> => {
    publishers.set(request, await app.authenticator.demand(request, ({ user }) => user === undefined ? 'unauthorized' : undefined))
  }

  app.post('/v1/publish', { bodyLimit: MAX_BODY_BYTES, schema: publishSchema, onRequest: identify }, async (request, reply) => {
    const identity = publishers.get(request)!
    if (typeof request.body !== 'object' || request.body === null) {
      throw new ProtocolError('invalid_message', 'the body is a message, an array of messages, or a line for each')
    }
    const body: unknown[] = Array.isArray(request.body) ? request.body : [request.body]
    if (body.length > MAX_ITEMS) throw new ProtocolError('message_too_big', `a batch has at most ${MAX_ITEMS} messages`)
    const results = new Array<PublishResult>(body.length)
    const good: Array<Static<typeof PublishItem>> = []
    const places: number[] = []
    for (const [place, item] of body.entries()) {
      if (itemCheck.Check(item)) {
        good.push(item)
        places.push(place)
      } else results[place] = { code: 'invalid_message', message: 'a message has channel, symbol, data, and optionally snapshot, idempotency_key, user' }
    }
    const published = await publisher.publish(good.map(item => ({ ...item, idempotencyKey: item.idempotency_key })), {
      publisher: identity.user ?? '',
      maxMessageBytes,
      permit: permitPublish(identity)
    })
    for (const [index, result] of published.entries()) results[places[index]!] = result
    events.published({ transport: 'http', address: request.ip, user: identity.user }, tallyOf(channels, body, results))
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
