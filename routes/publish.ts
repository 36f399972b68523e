import {
  decodeText, type JsonItem, MAX_PUBLISH_ITEMS, parseParameters, ProtocolError, readJson, readJsonItems,
  searchOf
} from '@tickwire/protocol'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { publishSchema } from './schemas.js'
import type { Identity } from '../src/auth/identity.js'
import { type OriginPolicy, refuseForeignPage } from '../src/auth/origin.js'
import { refuseAnonymous } from '../src/auth/permissions.js'

/** The largest body; each message in it has a bound of its own. */
const MAX_BODY_BYTES = 8 * 1024 * 1024

/** `POST /v1/publish`: takes one object, an array, or lines of JSON. */
export async function publishRoutes (
  app: FastifyInstance, { originAllowed }: { originAllowed: OriginPolicy }
): Promise<void> {
  const { publishing } = app.streaming

  app.addHook('onRequest', async request => {
    refuseForeignPage(originAllowed, request)
    parseParameters(searchOf(request.url), [])
  })

  // Reads bodies as bytes, because only a whole body shows whether it is UTF-8.
  app.removeContentTypeParser('application/json')
  const addParser = (types: string[], read: (text: string) => JsonItem[]): void => {
    const options = { parseAs: 'buffer', bodyLimit: MAX_BODY_BYTES } as const
    app.addContentTypeParser(types, options, async (_request: FastifyRequest, body: Buffer) =>
      read(decodeText(body)))
  }
  addParser(['application/json'], readBody)
  addParser(['application/x-ndjson', 'application/ndjson'], readLines)

  const publishers = new WeakMap<FastifyRequest, Identity>()
  /**
   * Identifies the publisher from the headers, so that the server never reads the body of an anonymous
   * request.
   */
  const identify = async (request: FastifyRequest): Promise<void> => {
    const identity = await app.authenticator.demand(request, refuseAnonymous)
    publishers.set(request, identity)
  }

  // In preParsing: after onRequest, which counts the request.
  const options = { bodyLimit: MAX_BODY_BYTES, schema: publishSchema, preParsing: identify }
  app.post('/v1/publish', options, async (request, reply) => {
    const identity = publishers.get(request)!
    if (!Array.isArray(request.body)) throw new ProtocolError('invalid_message', NO_MESSAGES)
    const items = request.body as JsonItem[]
    if (items.length > MAX_PUBLISH_ITEMS) {
      throw new ProtocolError('message_too_big', `a batch has at most ${MAX_PUBLISH_ITEMS} messages`)
    }
    const party = { transport: 'http', address: request.ip, user: identity.user }
    const judged = await publishing.judge(items, identity, party)
    return await reply.header('Cache-Control', 'no-store').send(await judged.append())
  })
}

const NO_MESSAGES = 'the body must be a message, an array of messages, or a line for each'

/** Reads one object, or an array. @throws ProtocolError `invalid_json`, `invalid_message` */
function readBody (text: string): JsonItem[] {
  const items = readJsonItems(text)
  const [first] = items
  // The items of an array may be anything, because each has an answer of its own.
  const isObject = typeof first?.value === 'object' && first.value !== null
  const isArray = /^\s*\[/.test(text)
  if (items.length === 1 && !isObject && !isArray) throw new ProtocolError('invalid_message', NO_MESSAGES)
  return items
}

/** Reads a message from each line. @throws ProtocolError `invalid_json` */
function readLines (text: string): JsonItem[] {
  return text.split('\n').flatMap((line, index) => {
    // `trim` takes a byte order mark for a space.
    if (line.trim() === '') return []
    try {
      return readJson(line)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      throw new ProtocolError(error.code, `line ${index + 1}: ${error.message}`)
    }
  })
}
