import type { Words } from '../../app/preferences.js'

/** What an order is called: its side, its type, how long it stands, and its status. */
export const orderWords = {
  en: {
    buy: 'Buy',
    sell: 'Sell',
    market: 'Market',
    limit: 'Limit',
    stop: 'Stop',
    stop_limit: 'Stop limit',
    day: 'Day',
    gtc: 'Until canceled',
    ioc: 'At once or not at all',
    fok: 'All at once or nothing',
    pending_new: 'pending',
    new: 'open',
    partially_filled: 'partly filled',
    filled: 'filled',
    pending_cancel: 'being canceled',
    canceled: 'canceled',
    replaced: 'replaced',
    rejected: 'rejected',
    expired: 'expired'
  },
  ko: {
    buy: '매수',
    sell: '매도',
    market: '시장가',
    limit: '지정가',
    stop: '스톱',
    stop_limit: '스톱 지정가',
    day: '당일',
    gtc: '취소 시까지',
    ioc: '즉시 체결 후 잔량 취소',
    fok: '전량 즉시 체결 또는 취소',
    pending_new: '접수 대기',
    new: '접수',
    partially_filled: '일부 체결',
    filled: '체결',
    pending_cancel: '취소 중',
    canceled: '취소됨',
    replaced: '정정됨',
    rejected: '거부됨',
    expired: '만료됨'
  }
} satisfies Words<Record<string, string>>

/** Returns a word for a name that the server wrote; the name itself, if there is none. */
export function wordFor (text: Readonly<Record<string, unknown>>, name: string | undefined): string {
  const word = text[name ?? '']
  return typeof word === 'string' ? word : name ?? '–'
}
