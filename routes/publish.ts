import { decodeText, type JsonItem, MAX_PUBLISH_ITEMS, parseParameters, ProtocolError, readJson, readJsonItems, searchOf } from '@tickwire/protocol'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { publishSchema } from './schemas.js'
import type { Identity } from '../src/auth/identity.js'
import { type OriginPolicy, refuseForeignPage } from '../src/auth/origin.js'

/** Largest body; a single message of it has its own bound. */
const MAX_BODY_BYTES = 8 * 1024 * 1024

/** `POST /v1/publish`: one object, an array, or lines of JSON. */
export async function publishRoutes (app: FastifyInstance, { originAllowed }: { originAllowed: OriginPolicy }): Promise<void> {
  const { publishing } = app.streaming

  app.addHook('onRequest', async request => {
    refuseForeignPage(originAllowed, request)
    parseParameters(searchOf(request.url), [])
  })

  // As bytes: only the whole body can tell whether it is text.
  app.removeContentTypeParser('application/json')
  for (const [types, read] of [['application/json', readBody], [['application/x-ndjson', 'application/ndjson'], readLines]] as const) {
    app.addContentTypeParser([...[types].flat()], { parseAs: 'buffer', bodyLimit: MAX_BODY_BYTES }, async (_request: FastifyRequest, body: Buffer) => read(decodeText(body)))
  }

  /** Identifies the publisher from the headers, so that the server never reads the body of an anonymous request. */
  const publishers = new WeakMap<FastifyRequest, Identity>()
  const identify = async (request: FastifyRequest): Promise<void> => {
    publishers.set(request, await app.authenticator.demand(request, ({ user }) => user === undefined ? 'unauthorized' : undefined))
  }

  // Behind onRequest, where requests are counted.
  app.post('/v1/publish', { bodyLimit: MAX_BODY_BYTES, schema: publishSchema, preParsing: identify }, async (request, reply) => {
    const identity = publishers.get(request)!
    if (!Array.isArray(request.body)) throw new ProtocolError('invalid_message', NO_MESSAGES)
    const items = request.body as JsonItem[]
    if (items.length > MAX_PUBLISH_ITEMS) throw new ProtocolError('message_too_big', `a batch has at most ${MAX_PUBLISH_ITEMS} messages`)
    const party = { transport: 'http', address: request.ip, user: identity.user }
    return await reply.header('Cache-Control', 'no-store').send(await (await publishing.judge(items, identity, party)).append())
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
