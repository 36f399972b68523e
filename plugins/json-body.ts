import { decodeText, readJson } from '@tickwire/protocol'
import fp from 'fastify-plugin'

/** Reads JSON bodies as the stream reads messages (PROTOCOL.md, Text and numbers): exactly, or not at all. */
export const jsonBody = fp(async app => {
  app.removeContentTypeParser('application/json')
  const options = { parseAs: 'buffer' } as const
  app.addContentTypeParser('application/json', options, async (_request: unknown, body: Buffer) => {
    const { value, error } = readJson(decodeText(body))
    if (error !== undefined) throw error
    return value
  })
}, { name: 'tickwire-json-body', fastify: '5.x' })
