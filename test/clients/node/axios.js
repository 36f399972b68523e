import axios from 'axios'
import { ask, pause, takeAnswer } from './report.js'

for (;;) {
  try {
    // The time limit covers the whole request, so it must be longer than `wait`.
    const { status, data } = await axios.get(ask({ wait: 5 }), {
      timeout: 30_000,
      validateStatus: () => true
    })
    await takeAnswer(status, data)
  } catch (error) {
    await pause(error.code ?? error.message)
  }
}
