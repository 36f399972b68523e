import { isDeepStrictEqual } from 'node:util'
import { FormatRegistry } from '@sinclair/typebox'
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler'
import {
  book, type CancelCommand, CancelOrder, type Command, commands, DEFAULT_TIME_IN_FORCE, instrumentOverrides,
  instruments, type NamedOrder, type OpenOrder, openOrders, type OrderAnswer, type OrderRequest,
  ProtocolError, quotes, registerFormats, type ReplaceCommand, ReplaceOrder, ResetAccount, type ResetCommand,
  type SubmitCommand, SubmitOrder, topicKey, trades
} from '@tickwire/protocol'
import type { Identity } from '../auth/identity.js'
import { refuseTrade } from '../auth/permissions.js'
import { type NameContext, refuseUnknown } from '../connection/selectors.js'
import type { Coordination } from '../coordination/coordination.js'
import { fieldsOf } from '../fields-of.js'
import type { Log } from '../log/log.js'
import type { Publisher } from '../publisher/publisher.js'
import {
  demandFit, demandMultiples, demandOwnPrices, demandPrices, demandStanding, invalid
} from './form.js'
import { orderIdOf } from './order-id.js'

/** Requests are counted in windows of this length. */
const WINDOW_MS = 1000
/** A symbol is known if it is an instrument, or if one of these channels has a message of it. */
const PRICED = [quotes, trades, book]
const DECLARED = [instruments, instrumentOverrides]

/** The fields of requests that commands take over. */
const TERMS = ['quantity', 'limit_price', 'stop_price'] as const
const SUBMITTED = ['action', 'client_order_id', 'symbol', 'side', 'order_type', ...TERMS] as const
const ASKED = ['action', 'request_id'] as const

registerFormats(FormatRegistry)
const checks: Readonly<Record<OrderRequest['action'], TypeCheck<typeof SubmitOrder>>> = {
  submit_order: TypeCompiler.Compile(SubmitOrder),
  cancel_order: TypeCompiler.Compile(CancelOrder) as TypeCheck<never>,
  replace_order: TypeCompiler.Compile(ReplaceOrder) as TypeCheck<never>,
  reset_account: TypeCompiler.Compile(ResetAccount) as TypeCheck<never>
}

/**
 * Verifies the signature of a request, if it must have one.
 * @param message the request as the client sent it, with its `action` and without an `id`
 * @returns whether the request is too old to be taken, so that it only is answered if the log has it already
 * @throws ProtocolError `forbidden`, `bad_request`
 */
export type VerifyRequest = (
  identity: Identity, action: OrderRequest['action'], message: OrderRequest
) => { readonly isLate: boolean } | Promise<{ readonly isLate: boolean }>

export interface OrderRequestsOptions {
  readonly publisher: Pick<Publisher, 'publishOne' | 'findOwn'>
  readonly log: Pick<Log, 'snapshot'>
  readonly names: NameContext
  readonly coordination: Pick<Coordination, 'count'>
  /** Whether there is an exchange. */
  readonly enabled: boolean
  /** Whether users may begin their accounts anew: not if these are at a broker. Default: true. */
  readonly resetsAccounts?: boolean
  /** The currency of an instrument that names none. */
  readonly baseCurrency: string
  /** The most requests of a user in a second, over all transports and servers. */
  readonly maxPerSecond: number
  /** Told of a user who sends more than that. */
  readonly onLimited?: (user: string, max: number, windowMs: number) => void
  /** Default: no request needs a signature. */
  readonly verify?: VerifyRequest
}

/** What is known of an order that a request names; `terms` is absent if the log has forgotten them. */
interface KnownOrder {
  readonly terms: Pick<SubmitCommand, 'symbol' | 'order_type'> | undefined
}

/**
 * What users ask of the exchange, over whichever transport (PROTOCOL.md, Orders). A request that is in order
 * becomes a message of `commands`, once, however often it comes: it has an idempotency key, which the log
 * keeps for as long as the channel says.
 */
export class OrderRequests {
  constructor (private readonly options: OrderRequestsOptions) {}

  /**
   * Hands an order to the exchange.
   * @throws ProtocolError `disabled`; `unauthorized`, `forbidden`; `rate_limited`; `invalid_message`,
   *   `unknown_symbol`; `bad_request`: the request is signed and late; `conflict`: an order with this
   *   `client_order_id` has other contents; `log_unavailable`, `overloaded`
   */
  async submit (identity: Identity, request: SubmitOrder): Promise<OrderAnswer> {
    const user = await this.admit(identity, request)
    const { symbol, order_type: type, time_in_force: timeInForce = DEFAULT_TIME_IN_FORCE } = request
    demandPrices(type, request)
    demandStanding(type, timeInForce)
    permit(identity, symbol)
    const { names, baseCurrency } = this.options
    const orderId = orderIdOf(user, request.client_order_id)
    const instrument = names.directory.instrument(symbol)
    const command: SubmitCommand = {
      ...fieldsOf(request, SUBMITTED),
      time_in_force: timeInForce,
      order_id: orderId,
      ...(instrument?.market === undefined ? {} : { market: instrument.market }),
      currency: instrument?.currency ?? baseCurrency
    }
    await this.record(identity, request, command, submitKey(orderId), async () => {
      await this.demandKnown(symbol)
      demandMultiples(request, instrument)
    })
    return { order_id: orderId, client_order_id: request.client_order_id }
  }

  /**
   * Asks the exchange to cancel an order.
   * @throws ProtocolError as {@link submit}; `not_found`: the user has no such order
   */
  async cancel (identity: Identity, request: CancelOrder): Promise<OrderAnswer> {
    const user = await this.admit(identity, request)
    const orderId = namedBy(user, request)
    const command: CancelCommand = { ...fieldsOf(request, ASKED), order_id: orderId }
    await this.record(identity, request, command, requestKey(request), async () => {
      const { terms } = await this.demandOrder(user, orderId)
      permit(identity, terms?.symbol)
    })
    return answer(orderId, request)
  }

  /**
   * Asks the exchange to give an order new terms.
   * @throws ProtocolError as {@link cancel}
   */
  async replace (identity: Identity, request: ReplaceOrder): Promise<OrderAnswer> {
    const user = await this.admit(identity, request)
    const orderId = namedBy(user, request)
    const terms = fieldsOf(request, TERMS)
    if (Object.keys(terms).length === 0) {
      throw invalid('the request', `it changes nothing; give one of ${TERMS.join(', ')}`)
    }
    const command: ReplaceCommand = { ...fieldsOf(request, ASKED), order_id: orderId, ...terms }
    await this.record(identity, request, command, requestKey(request), async () => {
      const { terms: before } = await this.demandOrder(user, orderId)
      permit(identity, before?.symbol)
      // Without terms the order has long ended, and the exchange says so.
      if (before === undefined) return
      demandOwnPrices(before.order_type, request)
      demandMultiples(request, this.options.names.directory.instrument(before.symbol))
    })
    return answer(orderId, request)
  }

  /**
   * Asks the exchange to begin the user's account anew. It takes a token for the orders of every symbol.
   * @throws ProtocolError as {@link submit}
   */
  async reset (identity: Identity, request: ResetAccount): Promise<{ readonly request_id: string }> {
    await this.admit(identity, request)
    if (this.options.resetsAccounts === false) {
      throw new ProtocolError('disabled', 'accounts are at a broker: this server cannot begin them anew')
    }
    permit(identity)
    const command: ResetCommand = fieldsOf(request, ASKED)
    await this.record(identity, request, command, requestKey(request), () => {})
    return { request_id: request.request_id }
  }

  /** Returns the user of a request that may be judged: one who may trade, not too often, and well-formed. */
  private async admit (identity: Identity, request: OrderRequest): Promise<string> {
    const { enabled, coordination, maxPerSecond } = this.options
    if (!enabled) throw new ProtocolError('disabled', 'this server takes no orders')
    const { user, trade } = identity
    if (user === undefined) throw new ProtocolError('unauthorized')
    if (trade === undefined) throw new ProtocolError('forbidden', "the token has no claim 'trade'")
    const { count, endsInMs } = await coordination.count(`orders of ${user}`, WINDOW_MS)
    if (count > maxPerSecond) {
      this.options.onLimited?.(user, maxPerSecond, WINDOW_MS)
      const message = `a user may send ${maxPerSecond} requests about orders a second, over all connections`
      throw new ProtocolError('rate_limited', message, Math.max(1, endsInMs))
    }
    demandFit(checks[request.action], request)
    return user
  }

  /**
   * Appends a command, unless the log has it already under its key.
   * @param judge refuses a request that cannot become a command
   */
  private async record (
    identity: Identity,
    request: OrderRequest,
    command: Command,
    key: string,
    judge: () => void | Promise<void>
  ): Promise<void> {
    const { publisher, verify } = this.options
    const { user } = identity
    const topic = topicKey({ channel: commands.name, user })
    const verified = await verify?.(identity, request.action, request)
    try {
      if (verified?.isLate === true) {
        throw new ProtocolError('bad_request', 'the timestamp is too old, and no such request came before')
      }
      await judge()
    } catch (refusal) {
      // What a request is judged by may have changed since it came first, as an instrument does. The same
      // request is answered alike all the same.
      const before = await publisher.findOwn(topic, key)
      if (before === undefined) throw refusal
      demandSame(before.entry?.payload, command)
      return
    }
    const publication = { channel: commands.name, user, data: command, idempotencyKey: key }
    const { repeated } = await publisher.publishOne(publication)
    if (repeated === true) demandSame((await publisher.findOwn(topic, key))?.entry?.payload, command)
  }

  /**
   * Demands a symbol that can be traded. An instrument that was removed cannot, although its prices may still
   * be there: nobody knows their currency any more.
   * @throws ProtocolError `unknown_symbol`, `log_unavailable`
   */
  private async demandKnown (symbol: string): Promise<void> {
    const { names } = this.options
    if (names.directory.hasInstrument(symbol)) return
    const wasRemoved = DECLARED.some(({ name: channel }) =>
      names.directory.last(topicKey({ channel, symbol })) !== undefined)
    for (const channel of wasRemoved ? [] : PRICED) {
      if (await refuseUnknown(names, channel, symbol) === undefined) return
    }
    const message = 'symbol: there is no such instrument; GET /v1/symbols lists them'
    throw new ProtocolError('unknown_symbol', message)
  }

  /**
   * Returns what is known of a user's order. The log has its submit for some days, and the state of open
   * orders has those that stand for longer.
   * @throws ProtocolError `not_found`, `log_unavailable`
   */
  private async demandOrder (user: string, orderId: string): Promise<KnownOrder> {
    const { publisher, log } = this.options
    const submit = await publisher.findOwn(topicKey({ channel: commands.name, user }), submitKey(orderId))
    if (submit?.entry !== undefined) return { terms: JSON.parse(submit.entry.payload) as SubmitCommand }
    const state = await log.snapshot(topicKey({ channel: openOrders.name, user }))
    const { orders } = JSON.parse(state?.payload ?? '{"orders":[]}') as { orders: readonly OpenOrder[] }
    const terms = orders.find(({ order_id: id }) => id === orderId)
    if (submit === undefined && terms === undefined) {
      throw new ProtocolError('not_found', 'you have no such order')
    }
    return { terms }
  }
}

const submitKey = (orderId: string): string => `order ${orderId}`
const requestKey = ({ request_id: id }: { readonly request_id: string }): string => `request ${id}`

/** @param symbol absent: the token must permit every symbol. @throws ProtocolError `forbidden` */
function permit (identity: Identity, symbol?: string): void {
  const refusal = refuseTrade(identity, symbol)
  if (refusal === undefined) return
  const what = symbol === undefined ? 'the orders of every symbol' : `orders of ${symbol}`
  throw new ProtocolError(refusal, `the claim 'trade' of the token does not permit ${what}`)
}

/** Returns the id of the order that a request names. @throws ProtocolError `invalid_message` */
function namedBy (user: string, { order_id: id, client_order_id: own }: NamedOrder): string {
  if (id !== undefined && own === undefined) return id
  if (id === undefined && own !== undefined) return orderIdOf(user, own)
  throw invalid('the request', 'it names the order by order_id or by client_order_id, by one of them')
}

const answer = (orderId: string, request: CancelOrder | ReplaceOrder): OrderAnswer =>
  ({ order_id: orderId, ...fieldsOf(request, ['client_order_id', 'request_id']) })

/**
 * Demands that an earlier command under the same key says the same. What the server added of the instrument
 * does not count, because it may have changed since.
 * @param before its data as JSON text; undefined if it is not retained any more, so that nobody can tell
 * @throws ProtocolError `conflict`
 */
function demandSame (before: string | undefined, command: Command): void {
  if (before === undefined || isDeepStrictEqual(asked(JSON.parse(before) as Command), asked(command))) return
  const id = 'request_id' in command ? 'request_id' : 'client_order_id'
  throw new ProtocolError('conflict', `${id}: an earlier request with other contents has the same`)
}

function asked (command: Command): object {
  const { market: _market, currency: _currency, ...request } = command as SubmitCommand
  return request
}
