import type { Choices } from '../../helpers/random.js'
import { Raw } from './json.js'

/**
 * Texts that stand where something else belongs: names of prototypes, other people's topics, controls,
 * scripts, tricks with Unicode.
 */
export const ODD_TEXTS: readonly string[] = [
  '', ' ', '*', '**', '@', '@market', '@market/', '@market/*', '@sector/%2e%2e', '@user/bob', ':', ';', ',', '!', '~~', '.r0', '-', '_', '0', '-1', 'null', 'true', 'NaN', 'undefined',
  '__proto__', 'constructor', 'prototype', 'toString', 'valueOf', 'hasOwnProperty', '__defineGetter__', '__lookupGetter__',
  'orders@bob', 'orders!bob', 'orders:bob', 'portfolio@bob', 'alerts@*', 'quotes:AAPL', 'quotes\nAAPL', 'A\u0000B', 'A\u0007', '\u0000', '\r\n', '\u001b[31m', '\u007f', '\ufeff',
  'ＡＡＰＬ', 'ААPL', 'é', '📈', '\ud800', '\udfff', '\u202eLPAA', '\u2028', 'ﷺ', 'a\u0301', 'İ', 'ß',
  '../../etc/passwd', '%00', '%2e', '%', '<script>alert(1)</script>', "' OR 1=1 --", '{{7*7}}', '$(id)', '() { :;}', '\\', '"', "'", '`', 'x'.repeat(33), 'x'.repeat(65), 'x'.repeat(300), 'A'.repeat(9000)
]

/** Numbers as they may be written; JavaScript reads some of them as others. */
const ODD_NUMBERS: readonly string[] = [
  '0', '-0', '0.0', '1', '-1', '1.0', '1e0', '10E-1', '0.5', '9', '10', '60000', '60001', '9007199254740991', '9007199254740992', '9007199254740993', '1e21', '1e308', '1e309', '-1e309', '5e-324', '1e-400',
  '4294967295', '4294967296', '2147483648', '-2147483649', '18446744073709551616', `1${'0'.repeat(400)}`, `0.${'0'.repeat(400)}1`
]

/** What is no JSON. */
const NOT_JSON: readonly string[] = ['NaN', 'Infinity', '-Infinity', 'undefined', '01', '+1', '.5', '1.', '0x10', '1_000', "'a'", '"\t"', '"\\x"', '"\\u12"', '/**/1', '{a:1}', '[1,]', '{"a":1,}', 'tru', '"']

export const oddNumber = (random: Choices): Raw => new Raw(random.pick(ODD_NUMBERS))

function randomText (random: Choices): string {
  const highest = random.pick([0x7f, 0xff, 0x2fff, 0xffff])
  return Array.from({ length: random.integer(0, 40) }, () => String.fromCharCode(random.integer(0, highest))).join('')
}

export const oddText = (random: Choices): string => (
  random.next() < 0.7 ? random.pick(ODD_TEXTS) : randomText(random)
)

/** Any value at all; now and then one that is no JSON, or nested beyond reason. */
export function oddValue (random: Choices, depth = 0): unknown {
  switch (random.integer(0, depth > 2 ? 5 : 9)) {
    case 0: return null
    case 1: return random.next() < 0.5
    case 2: return oddNumber(random)
    case 3: case 4: return oddText(random)
    case 5: return random.pick([[], {}, '', 0])
    case 6: return Array.from({ length: random.integer(0, 4) }, () => oddValue(random, depth + 1))
    case 7: {
      const member = (): [string, unknown] => [oddText(random).slice(0, 40), oddValue(random, depth + 1)]
      return Object.fromEntries(Array.from({ length: random.integer(0, 4) }, member))
    }
    case 8: return nested(random)
    default: return new Raw(random.pick(NOT_JSON))
  }
}

function nested (random: Choices): Raw {
  const depth = random.pick([3, 50, 1000, 12_000])
  return random.next() < 0.5 ? new Raw('['.repeat(depth) + ']'.repeat(depth)) : new Raw('{"a":'.repeat(depth / 4) + '1' + '}'.repeat(depth / 4))
}

/** Changes some characters, so that it is nearly what it was. */
export function garble (random: Choices, text: string): string {
  for (let changes = random.integer(1, 3); changes > 0; changes--) {
    const at = random.integer(0, text.length)
    const other = random.pick(['"', '{', '}', '[', ']', ',', ':', '\\', '0', '-', 'e', ' ', '%', '&', '=', ';', '+', '\u0000', '\u00ff', String.fromCharCode(random.integer(0, 0xffff))])
    switch (random.integer(0, 4)) {
      case 0: text = text.slice(0, at) + text.slice(at + 1); break
      case 1: text = text.slice(0, at) + other + text.slice(at); break
      case 2: text = text.slice(0, at) + other + text.slice(at + 1); break
      case 3: text = text.slice(0, at); break
      default: {
        const end = Math.min(text.length, at + random.integer(1, 20))
        text = text.slice(0, end) + text.slice(at, end) + text.slice(end)
      }
    }
  }
  return text
}
