import { Type } from '@sinclair/typebox'
import { type ChannelDefinition, standardChannels } from '@tickwire/protocol'
import { test } from 'tap'
import { resolveSelectors } from '../../src/connection/selectors.js'
import { makeSelector, Selection } from '../../src/hub/audience/selector.js'
import { startNode, ticks } from '../helpers/node.js'

const strategy: ChannelDefinition = {
  name: 'strategy',
  type: 'strategy',
  description: 'States of strategies.',
  keyed: true,
  access: 'user',
  schema: Type.Object({})
}

test('lets users name unknown symbols in their own topics while unknown symbols are refused', async t => {
  const node = await startNode()
  const context = {
    channels: new Map([...standardChannels, [strategy.name, strategy]]),
    directory: node.hub.directory,
    membership: node.hub.membership,
    hasTopic: (topic: string) => node.hub.hasTopic(topic),
    acceptUnknownSymbols: false,
    notOverWebSocket: new Set<string>()
  }
  const identity = { user: 'alice', admin: false }
  t.same(
    (await resolveSelectors(context, identity, 'strategy', ['S1'])).granted.map(({ key }) => key),
    ['strategy:S1@alice']
  )
  t.same(
    (await resolveSelectors(context, identity, 'strategy', ['@sector/none'])).rejected.map(
      ({ code }) => code
    ),
    ['unknown_symbol']
  )
  t.same(
    (await resolveSelectors(context, identity, 'quotes', ['S1'])).rejected.map(({ code }) => code),
    ['unknown_symbol']
  )
  await node.close()
})

test('gives a set of one user nothing of another, whatever their names', async t => {
  const node = await startNode()
  const names = ['bob', 'bob\nalice', 'bob\n*', 'bob@x', 'bob!x', 'bob:x', '\n*']
  await node.log.append(names.map(name => ({ topic: `strategy:S1@${name}`, payload: '{}', replaces: false })))
  await ticks()
  for (const name of names) {
    const selection = new Selection([makeSelector(strategy, '*', name)], node.hub.membership)
    t.same(
      [...selection.existing(node.hub.directory)].map(([topic]) => topic),
      [`strategy:S1@${name}`],
      JSON.stringify(name)
    )
    t.same(names.filter(other => selection.has(`strategy:S1@${other}`)), [name], JSON.stringify(name))
  }
  await node.close()
})
