import com.launchdarkly.eventsource.ConnectStrategy;
import com.launchdarkly.eventsource.ErrorStrategy;
import com.launchdarkly.eventsource.EventSource;
import com.launchdarkly.eventsource.FaultEvent;
import com.launchdarkly.eventsource.MessageEvent;
import com.launchdarkly.eventsource.StreamEvent;
import java.net.URI;

public final class LaunchDarkly {
  public static void main(String[] args) throws Exception {
    Report report = new Report(args);
    // Comes back by itself, behind refusals too, if its strategy is to go on: by default it throws. It reads for up to 5 minutes of silence.
    EventSource source = new EventSource.Builder(ConnectStrategy.http(URI.create(report.ask()))).errorStrategy(ErrorStrategy.alwaysContinue()).build();
    for (StreamEvent event : source.anyEvents()) {
      if (event instanceof MessageEvent message) report.takeEvent(message.getEventName(), message.getData());
      else if (event instanceof FaultEvent fault) report.lost(fault.getCause());
    }
  }
}
