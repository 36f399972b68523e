import {
  decodeText, type JsonItem, MAX_PUBLISH_ITEMS, parseParameters, ProtocolError, readJsonItems, searchOf
} from '@tickwire/protocol'
import type { FastifyInstance } from 'fastify'
import { putSymbolsSchema, removeSymbolsSchema } from './schemas.js'

/** The largest body, as of a request to publish. */
const MAX_BODY_BYTES = 8 * 1024 * 1024

/** `/v1/admin/symbols`; the group of the operators' endpoints asks for the token, and keeps the audit. */
export async function adminSymbolRoutes (app: FastifyInstance): Promise<void> {
  const { instruments } = app.streaming

  // Each item has an answer of its own, so what is wrong with one says nothing of the others.
  app.removeContentTypeParser('application/json')
  const parser = { parseAs: 'buffer', bodyLimit: MAX_BODY_BYTES } as const
  app.addContentTypeParser('application/json', parser, async (_request: unknown, body: Buffer) =>
    readJsonItems(decodeText(body)))

  const put = { schema: putSymbolsSchema, bodyLimit: MAX_BODY_BYTES }
  app.put('/v1/admin/symbols', put, async (request, reply) => {
    const answer = await instruments.put(itemsOf(request.body, 'instruments'))
    return await reply.header('Cache-Control', 'no-store').send(answer)
  })

  const config = { parameters: ['symbols'] }
  const remove = { schema: removeSymbolsSchema, bodyLimit: MAX_BODY_BYTES, config }
  app.delete('/v1/admin/symbols', remove, async (request, reply) => {
    const [list] = parseParameters(searchOf(request.url), ['symbols']).get('symbols') ?? []
    if ((list === undefined) === ((request.body ?? undefined) === undefined)) {
      throw new ProtocolError(
        'bad_request', "name the symbols in one way: '?symbols=AAPL,MSFT', or an array as the body"
      )
    }
    const answer = await instruments.remove(list === undefined ? symbolsOf(request.body) : list.split(','))
    return await reply.header('Cache-Control', 'no-store').send(answer)
  })
}

/** @throws ProtocolError `invalid_message`, `message_too_big` */
function itemsOf (body: unknown, what: string): readonly JsonItem[] {
  if (!Array.isArray(body)) throw new ProtocolError('invalid_message', `the body must be an array of ${what}`)
  if (body.length > MAX_PUBLISH_ITEMS) {
    throw new ProtocolError('message_too_big', `a request has at most ${MAX_PUBLISH_ITEMS} ${what}`)
  }
  return body as JsonItem[]
}

function symbolsOf (body: unknown): readonly string[] {
  return itemsOf(body, 'symbols').map(({ value }, index) => {
    if (typeof value === 'string') return value
    throw new ProtocolError('invalid_message', `the item ${index} must be a symbol`)
  })
}
