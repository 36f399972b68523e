import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;

public final class JdkPolling {
  public static void main(String[] args) throws Exception {
    Report report = new Report(args);
    // It offers `Upgrade: h2c` with each request unless it is told not to.
    HttpClient client = HttpClient.newHttpClient();
    while (true) {
      try {
        HttpRequest request = HttpRequest.newBuilder(URI.create(report.ask("&wait=5"))).timeout(Duration.ofSeconds(30)).build();
        HttpResponse<String> response = client.send(request, HttpResponse.BodyHandlers.ofString());
        report.takeAnswer(response.statusCode(), response.body());
      } catch (IOException error) {
        report.pause(error, 0);
      }
    }
  }
}
