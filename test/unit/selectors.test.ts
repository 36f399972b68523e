import { Type } from '@sinclair/typebox'
import { type ChannelDefinition, standardChannels } from '@tickwire/protocol'
import { test } from 'tap'
import { resolveSelectors } from '../../src/connection/selectors.js'
import { startNode } from '../helpers/node.js'

test('where unknown symbols are refused, those of a user\'s own topics are the user\'s to name', async t => {
  const node = await startNode()
  const strategy: ChannelDefinition = { name: 'strategy', type: 'strategy', description: 'States of strategies.', keyed: true, access: 'user', schema: Type.Object({}) }
  const context = {
    channels: new Map([...standardChannels, [strategy.name, strategy]]), directory: node.hub.directory, membership: node.hub.membership, acceptUnknownSymbols: false
  }
  const identity = { user: 'alice', admin: false }
  t.same(resolveSelectors(context, identity, 'strategy', ['S1']).granted.map(({ key }) => key), ['strategy:S1!alice'])
  t.same(resolveSelectors(context, identity, 'strategy', ['@sector/none']).rejected.map(({ code }) => code), ['unknown_symbol'])
  t.same(resolveSelectors(context, identity, 'quotes', ['S1']).rejected.map(({ code }) => code), ['unknown_symbol'])
  await node.close()
})
