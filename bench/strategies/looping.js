import { defineStrategy, Type } from '@tickwire/server/strategies'

export const looping = defineStrategy({
  name: 'looping',
  description: 'Loops for ever at its first quote.',
  parameters: Type.Object({}),
  onQuote () { for (;;); }
})
