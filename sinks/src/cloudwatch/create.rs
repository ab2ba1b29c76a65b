//! Making the stream, and the group, where CloudWatch says that they are missing.

use hyper::Method;
use tapline_core::level::Level;
use tapline_core::sink::{Call, Verdict};

use super::target::{Names, Target};
use super::{CloudWatch, headers, retry};
use crate::shared::fault::{Fault, Remedy, denied, verdict_of_wait};
use crate::shared::http::{Answer, Outgoing};

/// What came of an action.
enum Made {
    Done,
    /// It is there already: somebody else was first.
    Existed,
    /// What it would be in is missing.
    Missing,
}

impl CloudWatch {
    /// Makes the stream; where the group is missing, that first, with its retention. Being late is no error: of many
    /// environments that start at once one makes the group, and only that one sets the retention.
    pub(super) async fn make(&mut self, names: &Names, call: &Call<'_>) -> Result<(), Verdict> {
        let stream = Target::stream_request(names);
        if !matches!(
            self.action("CreateLogStream", stream.clone(), names, call)
                .await?,
            Made::Missing
        ) {
            return Ok(());
        }
        let group = self.target.group_request(names);
        if let Made::Done = self.action("CreateLogGroup", group, names, call).await?
            && let Some(retention) = self.target.retention_request(names)
        {
            self.set_retention(retention, names, call).await;
        }
        match self.action("CreateLogStream", stream, names, call).await? {
            Made::Missing => Err(retry("ResourceNotFoundException")),
            Made::Done | Made::Existed => Ok(()),
        }
    }

    /// Events are stored without it too, so that a failure is said and nothing more.
    async fn set_retention(&mut self, body: Vec<u8>, names: &Names, call: &Call<'_>) {
        let answer = self.ask("PutRetentionPolicy", body, call).await;
        let why = match &answer {
            Ok(answer) if answer.status.is_success() => return,
            Ok(answer) => Fault::of(answer).reason(),
            Err(_) => "no answer".to_owned(),
        };
        let message = format!(
            "the group `{}` keeps its events for ever: `logs:PutRetentionPolicy` gives {why}",
            names.group
        );
        call.world.log(Level::Warn, &message);
    }

    async fn action(
        &mut self,
        action: &'static str,
        body: Vec<u8>,
        names: &Names,
        call: &Call<'_>,
    ) -> Result<Made, Verdict> {
        let answer = self.ask(action, body, call).await?;
        if answer.status.is_success() {
            return Ok(Made::Done);
        }
        let fault = Fault::of(&answer);
        match fault.code.as_str() {
            "ResourceAlreadyExistsException" => return Ok(Made::Existed),
            "ResourceNotFoundException" => return Ok(Made::Missing),
            _ => {}
        }
        if fault.remedy() == Remedy::Wait {
            return Err(verdict_of_wait(&fault, &answer, self.signed.wall_ms(call)));
        }
        let (group, region) = (&names.group, &self.signed.scope.region);
        let line = format!(
            "`{group}` in `{region}` has no stream `{}`; allow `logs:{action}` to the function's role, or make the group",
            names.stream
        );
        Err(denied(&fault, &line))
    }

    async fn ask(
        &mut self,
        action: &str,
        body: Vec<u8>,
        call: &Call<'_>,
    ) -> Result<Answer, Verdict> {
        let mut outgoing = Outgoing {
            method: Method::POST,
            headers: headers(action),
            body: body.into(),
        };
        let answer = self
            .signed
            .send(&mut self.clients[0], call, &mut outgoing)
            .await;
        answer.map_err(Verdict::from)
    }
}
