import type { ChannelDefinition } from '@tickwire/protocol'

export type Json = string | number | boolean | null | Json[] | { [name: string]: Json }
/** A place in data. */
export type Path = ReadonlyArray<string | number>

interface Sample {
  readonly type: string
  readonly access: ChannelDefinition['access']
  readonly keyed: boolean
  readonly state: boolean
  /** Every field of the table in PROTOCOL.md. */
  readonly full: { readonly [name: string]: Json }
  /** The required fields. */
  readonly required: readonly string[]
  /** The places of decimals. */
  readonly decimals: readonly Path[]
}

const TIME = '2026-02-07T14:30:00.123456Z'

const bars = (interval: string): Sample => ({
  type: 'bar',
  access: 'public',
  keyed: true,
  state: true,
  full: {
    symbol: 'AAPL',
    interval,
    start: '2026-02-07T14:30:00Z',
    open: '185.50',
    high: '186',
    low: '185.1',
    close: '185.2',
    volume: '1000',
    vwap: '185.43210987',
    trades: 12,
    closed: false,
    revision: 0,
    partial: true,
    through: 120
  },
  required: [
    'symbol', 'interval', 'start', 'open', 'high', 'low', 'close', 'volume', 'vwap', 'trades', 'closed', 'through'
  ],
  decimals: ['open', 'high', 'low', 'close', 'volume', 'vwap'].map(name => [name])
})

const HEATMAP: Sample = {
  type: 'heatmap',
  access: 'public',
  keyed: true,
  state: true,
  full: {
    symbol: 'BTC-USDT',
    kind: 'liquidation',
    as_of: TIME,
    price_step: '20',
    current_price: '64120.50',
    levels: [['63080', '1250.5', '0'], ['65160', '0', '0.25']],
    positions_created: 12,
    positions_consumed: 0
  },
  required: ['symbol', 'kind', 'as_of', 'price_step', 'current_price', 'levels'],
  decimals: [['price_step'], ['current_price'], ['levels', 0, 0], ['levels', 0, 1], ['levels', 1, 2]]
}

/** An order as its user submitted it, without the action. */
const SUBMIT = {
  order_id: 'O1',
  client_order_id: 'mine-1',
  symbol: 'AAPL',
  side: 'buy',
  order_type: 'stop_limit',
  time_in_force: 'gtc',
  quantity: '10',
  limit_price: '185.50',
  stop_price: '185.40',
  market: 'NASDAQ',
  currency: 'USD'
}

/** PROTOCOL.md, Data, written out. */
export const samples: Readonly<Record<string, Sample>> = {
  quotes: {
    type: 'quote',
    access: 'public',
    keyed: true,
    state: true,
    full: {
      symbol: 'AAPL',
      bid: '185.50',
      ask: '185.52',
      last: '185.51',
      bid_size: '100',
      ask_size: '0',
      volume: '1234567.5',
      change: '-1.25',
      change_percent: '-0.67',
      open: '186',
      high: '187.00',
      low: '184.99',
      venue_time: TIME
    },
    required: ['symbol'],
    decimals: ['bid', 'ask', 'last', 'bid_size', 'ask_size', 'volume', 'change', 'change_percent', 'open', 'high', 'low'].map(name => [name])
  },
  trades: {
    type: 'trade',
    access: 'public',
    keyed: true,
    state: false,
    full: {
      symbol: 'BTC-USD',
      price: '97000.01',
      size: '0.00000001',
      timestamp: TIME,
      exchange: 'XNAS',
      side: 'buy',
      trade_id: '42',
      corrects: '41',
      received_at: TIME
    },
    required: ['symbol', 'price', 'size', 'timestamp'],
    decimals: [['price'], ['size']]
  },
  'bars.1s': bars('1s'),
  'bars.1m': bars('1m'),
  'bars.5m': bars('5m'),
  book: {
    type: 'book',
    access: 'public',
    keyed: true,
    state: true,
    full: { symbol: 'BTC-USD', bids: [['97000.01', '1.50'], ['96999', '0']], asks: [['97000.02', '0.000']], checksum: 123456, venue_sequence: 7, stale: true },
    required: ['symbol', 'bids', 'asks'],
    decimals: [['bids', 0, 0], ['bids', 1, 1], ['asks', 0, 0], ['asks', 0, 1]]
  },
  heatmap: HEATMAP,
  'heatmap.book': { ...HEATMAP, full: { ...HEATMAP.full, kind: 'book' } },
  market: {
    type: 'market_status',
    access: 'public',
    keyed: true,
    state: true,
    full: { market: 'KOSPI', status: 'halted', reason: 'circuit breaker', until: '2026-02-07T14:30:00+09:00' },
    required: ['market', 'status'],
    decimals: []
  },
  news: {
    type: 'news',
    access: 'public',
    keyed: false,
    state: false,
    full: { headline: '삼성전자, 신고가', source: 'wire', symbols: ['005930'], sentiment: 'positive', timestamp: TIME, url: 'https://example.com/1' },
    required: ['headline', 'source', 'symbols', 'timestamp'],
    decimals: []
  },
  system: {
    type: 'system',
    access: 'public',
    keyed: false,
    state: false,
    full: { level: 'info', message: 'maintenance at noon' },
    required: ['level', 'message'],
    decimals: []
  },
  orders: {
    type: 'order',
    access: 'user',
    keyed: false,
    state: false,
    full: {
      order_id: 'O1',
      client_order_id: 'mine-1',
      symbol: 'AAPL',
      side: 'sell',
      order_type: 'stop_limit',
      time_in_force: 'gtc',
      status: 'partially_filled',
      quantity: '10',
      filled_qty: '2.5',
      leaves_qty: '7.5',
      limit_price: '185.50',
      stop_price: '185.60',
      avg_price: '185.51',
      exec_id: 'O1.1',
      last_qty: '2.5',
      last_price: '185.51',
      fee: '0.463775',
      reason: 'as asked',
      created_at: TIME,
      updated_at: TIME,
      signature: 'c2ln'
    },
    required: ['order_id', 'symbol', 'side', 'order_type', 'status', 'quantity', 'filled_qty'],
    decimals: [
      'quantity', 'filled_qty', 'leaves_qty', 'limit_price', 'stop_price', 'avg_price', 'last_qty', 'last_price', 'fee'
    ].map(name => [name])
  },
  portfolio: {
    type: 'portfolio',
    access: 'user',
    keyed: false,
    state: true,
    full: {
      currency: 'USD',
      total_value: '10000.00',
      cash: '-12.5',
      buying_power: '9.5',
      day_pnl: '0',
      realized_pnl: '1.5',
      unrealized_pnl: '-0.5',
      fees: '0.01',
      positions: [{ symbol: 'AAPL', currency: 'USD', quantity: '-3', avg_price: '1', last: '1.5', market_value: '2', unrealized_pnl: '-0.5' }],
      balances: [{ currency: 'USD', cash: '12', reserved: '2.5' }]
    },
    required: ['total_value', 'cash', 'day_pnl', 'positions'],
    decimals: [
      ...['total_value', 'cash', 'buying_power', 'day_pnl', 'realized_pnl', 'unrealized_pnl', 'fees'].map(name => [name]),
      ...['quantity', 'avg_price', 'last', 'market_value', 'unrealized_pnl'].map(name => ['positions', 0, name]),
      ...['cash', 'reserved'].map(name => ['balances', 0, name])
    ]
  },
  alerts: {
    type: 'alert',
    access: 'user',
    keyed: false,
    state: false,
    full: { alert_id: 'A1', rule_id: 'R1', type: 'price', message: 'above 200', symbol: 'AAPL', value: '200.05', triggered_at: TIME },
    required: ['alert_id', 'type', 'message', 'triggered_at'],
    decimals: [['value']]
  },
  strategy: {
    type: 'strategy',
    access: 'user',
    keyed: true,
    state: true,
    full: {
      strategy_id: 'S1',
      name: 'breakout',
      status: 'running',
      symbol: 'AAPL',
      mode: 'paper',
      signal: 'buy',
      quantity: '5',
      price: '185.52',
      as_of: TIME,
      reason: 'above the highest of 20 bars',
      position: '5',
      pnl: '-0.5',
      realized_pnl: '0',
      fees: '0.93'
    },
    required: ['strategy_id', 'name', 'status'],
    decimals: ['quantity', 'price', 'position', 'pnl', 'realized_pnl', 'fees'].map(name => [name])
  },
  strategies: {
    type: 'strategies',
    access: 'internal',
    keyed: false,
    state: true,
    full: {
      strategies: [{
        strategy_id: 'S1',
        name: 'breakout',
        symbol: 'AAPL',
        parameters: { lookback: 20, interval: '1m' },
        mode: 'paper',
        quantity: '5',
        status: 'failed',
        reason: 'it threw',
        version: 2,
        created_at: TIME,
        updated_at: TIME,
        results: { position: '5', cost: '927.60', realized_pnl: '0', fees: '0.93', time: 1, epoch: 7, offset: 9 }
      }]
    },
    required: ['strategies'],
    decimals: [['strategies', 0, 'quantity'], ['strategies', 0, 'results', 'cost']]
  },
  alert_rules: {
    type: 'alert_rules',
    access: 'internal',
    keyed: false,
    state: true,
    full: {
      rules: [{ rule_id: 'R1', type: 'price', symbol: 'AAPL', above: '1', version: 1, created_at: TIME, updated_at: TIME }]
    },
    required: ['rules'],
    decimals: [['rules', 0, 'above']]
  },
  commands: {
    type: 'command',
    access: 'internal',
    keyed: false,
    state: false,
    full: { ...SUBMIT, action: 'submit_order' },
    required: ['action', 'order_id', 'client_order_id', 'symbol', 'side', 'order_type', 'time_in_force', 'quantity', 'currency'],
    decimals: ['quantity', 'limit_price', 'stop_price'].map(name => [name])
  },
  accounts: {
    type: 'account',
    access: 'internal',
    keyed: false,
    state: true,
    full: {
      opened_at: TIME,
      balances: [{ currency: 'USD', cash: '99072.44', fees: '0', realized: '0' }],
      positions: [{ symbol: 'AAPL', currency: 'USD', quantity: '5', cost: '927.56' }],
      day: { date: '2026-02-07', value: '100000' }
    },
    required: ['opened_at', 'balances', 'positions'],
    decimals: [
      ...['cash', 'fees', 'realized'].map(name => ['balances', 0, name]),
      ...['quantity', 'cost'].map(name => ['positions', 0, name]),
      ['day', 'value']
    ]
  },
  open_orders: {
    type: 'open_orders',
    access: 'internal',
    keyed: false,
    state: true,
    full: {
      orders: [{
        ...SUBMIT, user: 'alice', number: 1, status: 'new', filled_qty: '0', notional: '0', decimals: 0, fills: 0, fee_rate: '0.001', reserved: '1855', triggered: true, waiting: true, created_at: TIME
      }]
    },
    required: ['orders'],
    decimals: ['quantity', 'limit_price', 'stop_price', 'filled_qty', 'notional', 'fee_rate', 'reserved'].map(name => ['orders', 0, name])
  },
  acknowledgements: {
    type: 'acknowledgement',
    access: 'internal',
    keyed: true,
    state: true,
    full: { sequence: 17, epoch: 4_000_000_000, offset: 9 },
    required: ['sequence', 'epoch', 'offset'],
    decimals: []
  },
  monitor: {
    type: 'monitor',
    access: 'admin',
    keyed: false,
    state: false,
    full: {
      node: 'n1',
      name: 'host-1',
      version: '1.0.0',
      started: TIME,
      time: TIME,
      interval_ms: 1000.5,
      users: 1,
      subscriptions: 2,
      transports: [{
        transport: 'websocket', connections: 1, messages_per_second: 1.5, bytes_per_second: 100, messages_total: 3, bytes_total: 300, received_per_second: 1, received_bytes_per_second: 10, received_total: 1, received_bytes_total: 10, lagging: 0
      }],
      channels: [{ channel: 'quotes', messages_per_second: 1.5, bytes_per_second: 100, messages_total: 3, bytes_total: 300 }],
      latency: { count: 1, p50_ms: 0.5, p95_ms: 1, p99_ms: 1 },
      slow_readers: 0,
      lagging: 0,
      unsent_bytes: 0,
      overdue: [{ channel: 'alerts', users: 1, oldest_seconds: 61 }],
      log: { kind: 'redis', available: true, latency_ms: 0.4, topics: 2 },
      redis: { available: true, latency_ms: 0.4 },
      sources: [{ source: 'simulated', state: 'running' }],
      processors: [{ processor: 'bars/0', state: 'waiting' }],
      store: { state: 'available', waiting: 0, dropped: 0, refused: 0, complete: true },
      event_loop_delay_ms: 0.4,
      cpu: 0.1,
      memory_bytes: 100_000_000
    },
    required: [
      'node', 'name', 'version', 'started', 'time', 'interval_ms', 'users', 'subscriptions', 'transports', 'channels', 'latency', 'slow_readers', 'lagging', 'unsent_bytes', 'overdue', 'log', 'sources', 'processors', 'store', 'event_loop_delay_ms', 'cpu', 'memory_bytes'
    ],
    decimals: []
  },
  instruments: {
    type: 'instrument',
    access: 'internal',
    keyed: true,
    state: true,
    full: { symbol: '005930', market: 'KOSPI', sector: 'semiconductors', sector_name: '반도체', name: '삼성전자', currency: 'KRW', tick_size: '100', lot_size: '1', venue_symbol: 'A005930' },
    required: ['symbol'],
    decimals: []
  },
  'instruments.overrides': {
    type: 'instrument_override',
    access: 'internal',
    keyed: true,
    state: true,
    full: { symbol: '005930', market: 'KOSPI', sector: 'semiconductors', sector_name: '반도체', name: '삼성전자', currency: 'KRW', tick_size: '100', lot_size: '1', venue_symbol: 'A005930', removed: true },
    required: ['symbol'],
    decimals: []
  },
  'news.feeds': {
    type: 'news_feed',
    access: 'internal',
    keyed: true,
    state: true,
    full: { feed: 'news.example/rss', etag: '"1"', last_modified: 'Sun, 01 Mar 2026 11:00:00 GMT', seen: '0123456789abcde' },
    required: ['feed', 'seen'],
    decimals: []
  }
}
