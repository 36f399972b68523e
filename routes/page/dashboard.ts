import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'

/** Where the build puts the pages (packages/dashboard/vite.config.js). */
const BUILT = new URL('../../dashboard/', import.meta.url)
const YEAR_MS = 365 * 24 * 3600 * 1000

/** By path, the page of it. */
const PAGES = { '/': 'index.html', '/monitor': 'monitor.html', '/console': 'console.html' } as const

/** The desk at `/`, the monitor and the console. Their parts have hashes in their names, and never change. */
export async function dashboardRoutes (app: FastifyInstance): Promise<void> {
  for (const [path, file] of Object.entries(PAGES)) {
    const html = await readFile(new URL(file, BUILT), 'utf8')
    app.get(path, { schema: { hide: true } }, async (request, reply) => {
      const asked = request.url.split('?', 1)[0]!
      // The pages' own URLs are relative, so that they work under any prefix, of this server or of a proxy.
      // So the URL of the first one must end in a slash.
      if (path === '/' && !asked.endsWith('/')) {
        const folder = asked.slice(asked.lastIndexOf('/') + 1)
        return await reply.redirect(`${folder}/${request.url.slice(asked.length)}`)
      }
      return await reply.header('Cache-Control', 'no-cache').type('text/html; charset=utf-8').send(html)
    })
  }
  await app.register(fastifyStatic, {
    root: fileURLToPath(new URL('assets/', BUILT)),
    prefix: '/assets/',
    schemaHide: true,
    decorateReply: false,
    index: false,
    preCompressed: true,
    immutable: true,
    maxAge: YEAR_MS
  })
}
