import type { Venue } from '../venue.js'
import { codeOf, instrument } from './codes.js'
import { feed } from './feed.js'
import { UpbitParser } from './parser.js'

export const upbit: Venue = {
  name: 'upbit',
  hosts: ['api.upbit.com'],
  channels: ['quotes', 'trades', 'book'],
  feed,
  createParser: options => new UpbitParser(options),
  venueSymbolOf: codeOf,
  instrument,
  instruments (subscribeFrame) {
    if (!subscribeFrame.startsWith('[')) return []
    const parts = JSON.parse(subscribeFrame) as Array<{ codes?: unknown }>
    const codes = parts.flatMap(({ codes }) => Array.isArray(codes) ? codes as unknown[] : [])
      .filter(code => typeof code === 'string')
      // What is behind the dot is how many levels of the book are sent.
      .map(code => code.split('.', 1)[0]!)
    return [...new Set(codes)].map(instrument)
  }
}
