/**
 * What a module of strategies imports, as `@tickwire/server/strategies`: each worker loads it, and it is
 * small beside the whole server.
 */
export { Type } from '@sinclair/typebox'
export { defineStrategy } from './define-strategy.js'
