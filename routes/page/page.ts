import { readFile } from 'node:fs/promises'
import helmet from '@fastify/helmet'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { OriginPolicy } from '../../src/auth/origin.js'
import { securityHeaders } from '../security-headers.js'
import { adminLinkRoutes } from './admin-link.js'
import { dashboardRoutes } from './dashboard.js'
import { schemaRoutes } from './schemas.js'

export interface PageOptions {
  readonly development: boolean
  readonly originAllowed: OriginPolicy
  /**
   * Shows an operator the path of a link that gives a browser a token with `admin`; absent: there are no such
   * links.
   */
  readonly adminLink?: ((path: string) => void) | undefined
}

const HTML = 'text/html; charset=utf-8'
const CSS = 'text/css; charset=utf-8'
const SCRIPT = 'text/javascript; charset=utf-8'

/** The files of the page of three columns. */
const ASSETS: ReadonlyArray<readonly [name: string, type: string]> = [
  ['page.css', CSS],
  ['icon.svg', 'image/svg+xml'],
  ...[
    'page.js', 'admin.js', 'choice.js', 'client.js', 'column.js', 'in-step.js', 'meter.js', 'view.js'
  ].map(name => [name, SCRIPT] as const)
]

const read = (name: string): Promise<string> => readFile(new URL(`assets/${name}`, import.meta.url), 'utf8')

/**
 * The pages: the desk at `/`, the monitor, the console, and `/compare`, which shows the stream over all three
 * transports. The server serves the files of the last one as they are.
 */
export async function pageRoutes (
  app: FastifyInstance, { development, originAllowed, adminLink }: PageOptions
): Promise<void> {
  const { authenticationRequired } = app.streaming.stream
  const hasLinks = development && adminLink !== undefined && app.authenticator.signs
  const serve = (reply: FastifyReply, type: string, text: string): FastifyReply =>
    reply.header('Cache-Control', 'no-cache').type(type).send(text)
  await app.register(helmet, securityHeaders({ development }))

  await app.register(dashboardRoutes)
  await app.register(schemaRoutes)

  const html = await read('index.html')
  app.get('/compare', { schema: { hide: true } }, async (_request, reply) => serve(reply, HTML, html))

  for (const [name, type] of ASSETS) {
    const text = await read(name)
    app.get(`/page/${name}`, { schema: { hide: true } }, async (_request, reply) => serve(reply, type, text))
  }

  const options = { exposeHeadRoute: false, schema: { hide: true } }
  app.get('/page/settings.json', options, async (_request, reply) =>
    await reply.header('Cache-Control', 'no-store').send({
      authentication_required: authenticationRequired,
      admin_links: hasLinks,
      reference: app.hasRoute({ method: 'GET', url: `${app.prefix}/docs/protocol` })
    }))
  if (hasLinks) await app.register(adminLinkRoutes, { originAllowed, adminLink })
}
