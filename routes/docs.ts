import { readFile } from 'node:fs/promises'
import helmet from '@fastify/helmet'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { version } from '../src/version.js'
import { securityHeaders } from './security-headers.js'

const DESCRIPTION = `One ordered, replayable stream of market data over WebSocket, Server-Sent Events and
polling. The protocol describes the messages of the stream, the rule for clients, and how to resume.`

/** The contract for clients. The build copies it to where this file finds it, too. */
const PROTOCOL = new URL('../PROTOCOL.md', import.meta.url)

/** The hash of the inline style that Swagger UI's script sets. */
const INLINE_STYLE = "'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='"

/** `GET /docs`: the reference of all endpoints that are registered after it, made from their schemas. */
export const docsRoutes = fp(async (
  app: FastifyInstance, { development }: { readonly development: boolean }
) => {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Tickwire', description: DESCRIPTION, version },
      // A browser resolves this against the address of the description, `docs/json`.
      externalDocs: { url: './protocol', description: 'The protocol' },
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
      tags: [
        { name: 'stream', description: 'Subscriptions, live and resumed' },
        { name: 'publish', description: 'Messages into the log' },
        { name: 'topics', description: 'Histories, states, instruments' },
        { name: 'trading', description: 'Orders on the paper exchange, accounts, fills' },
        { name: 'acknowledgements', description: 'What a user has dealt with' },
        { name: 'alerts', description: 'When users want to be alerted' },
        { name: 'strategies', description: 'Programs that trade for users, or say how they would' },
        { name: 'admin', description: 'For operators: a token with admin' },
        { name: 'health', description: 'For monitoring and orchestration' }
      ]
    }
  })
  const protocol = await readFile(PROTOCOL, 'utf8')
  const icon = await readFile(new URL('page/assets/icon.svg', import.meta.url))
  // A scope of its own: the headers are for what a browser shows, not for the endpoints that the reference
  // describes.
  await app.register(async scope => {
    await scope.register(helmet, securityHeaders({ development, images: ['data:'], styles: [INLINE_STYLE] }))
    scope.get('/docs/protocol', { schema: { hide: true } }, async (_request, reply) =>
      await reply.header('Cache-Control', 'no-cache').type('text/plain; charset=utf-8').send(protocol))
    await scope.register(swaggerUi, {
      routePrefix: '/docs',
      // Leaves out the bar at the top, which asks for the address of another API.
      uiConfig: { layout: 'BaseLayout' },
      theme: {
        title: 'Tickwire API',
        favicon: [{ filename: 'icon.svg', rel: 'icon', sizes: 'any', type: 'image/svg+xml', content: icon }]
      }
    })
  })
}, { name: 'tickwire-docs', fastify: '5.x', encapsulate: false })
