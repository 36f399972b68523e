import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import okhttp3.sse.EventSource;
import okhttp3.sse.EventSourceListener;
import okhttp3.sse.EventSources;

public final class OkHttpSse {
  public static void main(String[] args) throws Exception {
    Report report = new Report(args);
    // By default it ends what is silent for 10 s: with `heartbeat=5` nothing is.
    EventSource.Factory factory = EventSources.createFactory(new OkHttpClient());
    while (true) {
      Closed.Handover handover = new Closed.Handover();
      Request request = new Request.Builder().url(report.ask("&heartbeat=5")).build();
      factory.newEventSource(request, new EventSourceListener() {
        @Override public void onEvent(EventSource source, String id, String type, String data) { report.takeEvent(type, data); }
        @Override public void onClosed(EventSource source) { handover.put(0, "the stream ended"); }
        @Override public void onFailure(EventSource source, Throwable error, Response response) {
          if (response != null && response.code() != 200 && !Report.mayPass(response.code())) report.refused(response.code());
          handover.put(0, error == null ? response : error);
        }
      });
      report.pause(handover.take().reason(), 0);
    }
  }
}
