import got from 'got'
import { ask, pause, takeAnswer } from './report.js'

for (;;) {
  try {
    // It tries again by itself: twice, behind `Retry-After`, at the same position.
    const { statusCode, body } = await got(ask({ wait: 5 }), { responseType: 'json', throwHttpErrors: false, timeout: { request: 30_000 } })
    await takeAnswer(statusCode, body)
  } catch (error) {
    await pause(error.code ?? error.message)
  }
}
