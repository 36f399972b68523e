import type { Order } from '@tickwire/protocol'
import { test } from 'tap'
import { Choices } from '../helpers/random.js'
import type { Message } from '../helpers/wires.js'
import { judgeAccount } from '../orders/judge-account.js'
import { judgeDisplayed, type ShownMarket } from '../orders/judge-displayed.js'
import { judgeOrders } from '../orders/judge-orders.js'
import type { Entry, ReadAccount } from '../orders/reading.js'
import type { SentOrder } from '../orders/submitter.js'

/**
 * What `npm run orders` judges by: it finds nothing in what an exchange in order says, and finds each fault
 * that an exchange could have.
 */
type Mutable<Value> = {
  -readonly [Key in keyof Value]: Value[Key] extends object ? Mutable<Value[Key]> : Value[Key]
}
interface World {
  messages: Order[]
  sent: Array<SentOrder & { readonly answers: Message[] }>
  account: Mutable<ReadAccount>
  market: Mutable<ShownMarket>
}

const at = (second: number): string => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString()
const entry = <Data>(data: Data, index: number, second: number, isSnapshot = false): Entry<Data> =>
  ({ sequence: index + 1, data, time: Date.parse(at(second)), isSnapshot })

const terms = { client_order_id: 'a-1', symbol: 'S', side: 'buy', order_type: 'limit', quantity: '5', time_in_force: 'gtc', limit_price: '100.05' } as const
const message = (more: Partial<Order>, second: number): Order => ({
  order_id: 'o1', ...terms, status: 'new', filled_qty: '0', leaves_qty: '5', created_at: at(1), updated_at: at(second), ...more
})

/** An order to buy 5: 2 of a displayed level, 2 at its limit when a lower level came; then it is canceled. */
function world (): World {
  const submitted = { type: 'order_accepted', order_id: 'o1', client_order_id: 'a-1' }
  const canceled = { type: 'order_accepted', order_id: 'o1', request_id: 'later a-1' }
  return {
    messages: [
      message({}, 1),
      message({ status: 'partially_filled', filled_qty: '2', leaves_qty: '3', avg_price: '100.0400001', exec_id: 'o1.1', last_qty: '2', last_price: '100.0400001', fee: '0.2000800002' }, 1),
      message({ status: 'partially_filled', filled_qty: '4', leaves_qty: '1', avg_price: '100.04500005', exec_id: 'o1.2', last_qty: '2', last_price: '100.05', fee: '0.2001' }, 2),
      message({ status: 'canceled', filled_qty: '4', leaves_qty: '1', avg_price: '100.04500005' }, 3)
    ],
    sent: [{ planned: { user: 'a', terms: { ...terms }, copiesAt: [0, 0], sequel: 'cancel', random: new Choices(1) }, answers: [{ ...submitted }, { ...submitted }], sequelAnswers: [{ ...canceled }] }],
    account: {
      balances: [{ currency: 'USD', cash: '999599.4198197998', fees: '0.4001800002', realized: '0', reserved: '0', available: '999599.4198197998' }],
      positions: [{ symbol: 'S', currency: 'USD', quantity: '4', cost: '400.1800002' }],
      portfolio: null,
      open_orders: []
    },
    market: {
      symbol: 'S',
      books: [
        entry({ symbol: 'S', bids: [], asks: [['100.0400001', '2']] }, 0, 0, true),
        entry({ symbol: 'S', bids: [], asks: [['100.0400001', '0'], ['100.0300002', '2']] }, 1, 2)
      ],
      trades: []
    }
  }
}

function faultsOf ({ messages, sent, account, market }: World): string[] {
  const { violations, fills, last } = judgeOrders('a', messages.map((data, index) => entry(data, index, 0)), sent)
  return [
    ...violations,
    ...judgeAccount('a', fills, last.values(), account).filter(text => !text.endsWith('there is no portfolio')),
    ...judgeDisplayed(market, fills).violations
  ]
}

test('finds nothing in an order that was one order', t => {
  t.same(faultsOf(world()), [])
  t.end()
})

const faults: ReadonlyArray<readonly [string, (world: World) => void, RegExp]> = [
  ['an order without a message', ({ messages }) => { messages.length = 0 }, /begins 0 times/],
  ['an order that begins twice', ({ messages }) => { messages.splice(1, 0, message({ reason: 'again' }, 1), message({}, 1)) }, /begins 2 times/],
  ['an order that nobody sent', ({ messages }) => { messages.push(message({ client_order_id: 'a-2' }, 4)) }, /nobody has sent 'a-2'/],
  ['a second order of the same client_order_id', ({ messages }) => { messages[3]!.order_id = 'o2' }, /it is o2, too/],
  ['another answer to a copy', ({ sent }) => { sent[0]!.answers[1] = { ...sent[0]!.answers[0]!, order_id: 'o2' } }, /is no answer with/],
  ['a refusal of a copy', ({ sent }) => { sent[0]!.answers[1] = { type: 'error', code: 'conflict' } }, /is no answer with/],
  ['a change behind the end', ({ messages }) => { messages.push(message({ status: 'expired', filled_qty: '4', leaves_qty: '1', avg_price: '100.04500005' }, 4)) }, /canceled → expired must not be/],
  ['a cancel that has no effect', ({ messages }) => { messages.pop() }, /canceled, and partially_filled/],
  ['a cancel that nobody asked for', ({ sent }) => { Object.assign(sent[0]!, { planned: { ...sent[0]!.planned, sequel: 'none' }, sequelAnswers: [] }) }, /0 requests after the submit were answered 1 times/],
  ['a fill that comes twice', ({ messages }) => { messages.splice(2, 0, messages[1]!) }, /fill 2 is o1\.1/],
  ['a fill without a number between', ({ messages }) => { messages[2]!.exec_id = 'o1.3' }, /fill 2 is o1\.3/],
  ['a fill that does not add up', ({ messages }) => { messages[2]!.filled_qty = '5' }, /filled_qty 5 is not 4/],
  ['a quantity that is not filled and left', ({ messages }) => { messages[3]!.leaves_qty = '0' }, /quantity 5 is not 4 \+ 0/],
  ['a wrong average', ({ messages }) => { messages[2]!.avg_price = '100.04500006' }, /avg_price 100\.04500006 is not 100\.04500005/],
  ['a fee that is off by a digit', ({ messages }) => { messages[2]!.fee = '0.2001000001' }, /fee 0\.2001000001 is not 0\.2001/],
  ['a price beyond the limit', ({ messages }) => { messages[2]!.last_price = '100.06' }, /beyond the limit/],
  ['another limit', ({ messages }) => { messages[3]!.limit_price = '100.06' }, /has another limit_price/],
  ['another time of acceptance', ({ messages }) => { messages[3]!.created_at = at(2) }, /has another created_at/],
  ['cash that is off by a digit', ({ account }) => { account.balances[0]!.cash = '999599.4198197997' }, /cash is 999599\.4198197997/],
  ['a position that is not its fills', ({ account }) => { account.positions[0]!.quantity = '5' }, /quantity is 5, and not 4/],
  ['a reservation of an ended order', ({ account }) => { account.balances[0]!.reserved = '1' }, /reserved is 1, and not 0/],
  ['an ended order that stays open', ({ account, messages }) => { account.open_orders.push(messages[3]!) }, /1 open orders are not the 0/],
  ['a level that was never displayed', ({ market }) => { market.books.shift() }, /which was never displayed/],
  ['more of a level than was displayed', ({ market }) => { Object.assign(market.books[0]!.data.asks[0]!, ['100.0400001', '1']) }, /2 to buy at 100\.0400001, where 1 was displayed/],
  ['more at a limit than a level that came had', ({ market }) => { Object.assign(market.books[1]!.data.asks[1]!, ['100.0300002', '1']) }, /2 at limits at .*, where 1 was offered/],
  ['a fill at a limit by a level beyond it', ({ market }) => { Object.assign(market.books[1]!.data.asks[1]!, ['100.0600002', '2']) }, /2 at limits at .*, where 0 was offered/]
]

for (const [title, break_, expected] of faults) {
  test(`finds ${title}`, t => {
    const broken = world()
    break_(broken)
    t.match(faultsOf(broken).join('\n'), expected)
    t.end()
  })
}

test('gives a size out again when it is displayed again', t => {
  const { messages, sent, market } = world()
  const { fills } = judgeOrders('a', messages.map((data, index) => entry(data, index, 0)), sent)
  const twice = [...fills, { ...fills[0]!, id: 'o2.1' }]
  t.match(judgeDisplayed(market, twice).violations.join(), /4 to buy at 100\.0400001, where 2 was displayed/)
  market.books.push(entry({ symbol: 'S', bids: [], asks: [['100.0400001', '2']] }, 2, 5))
  t.same(judgeDisplayed(market, twice).violations, [])
  t.end()
})
