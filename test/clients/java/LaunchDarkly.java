import com.launchdarkly.eventsource.ConnectStrategy;
import com.launchdarkly.eventsource.ErrorStrategy;
import com.launchdarkly.eventsource.EventSource;
import com.launchdarkly.eventsource.FaultEvent;
import com.launchdarkly.eventsource.MessageEvent;
import com.launchdarkly.eventsource.StreamEvent;
import java.net.URI;
import java.util.concurrent.TimeUnit;

public final class LaunchDarkly {
  public static void main(String[] args) throws Exception {
    Report report = new Report(args);
    // Comes back by itself, behind refusals too, if its strategy is to go on: by default it throws. It ends what is silent for 5 s.
    EventSource source = new EventSource.Builder(ConnectStrategy.http(URI.create(report.ask())).readTimeout(1, TimeUnit.MINUTES)).errorStrategy(ErrorStrategy.alwaysContinue()).build();
    for (StreamEvent event : source.anyEvents()) {
      if (event instanceof MessageEvent message) report.takeEvent(message.getEventName(), message.getData());
      else if (event instanceof FaultEvent fault) report.lost(fault.getCause());
    }
  }
}
