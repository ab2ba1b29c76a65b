//! A connection of the world as hyper wants it.

use std::cell::Cell;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use hyper::rt::ReadBufCursor;
use tapline_core::world::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes read at a time. They pass through an array of ours because hyper's buffer takes foreign bytes only by copy
/// where no `unsafe` is allowed; answers are short. The array is not cleared, since only what was read is looked at.
const READ_BYTES_MAX: usize = 8 << 10;

/// A connection that counts what it reads.
pub(crate) struct Io {
    stream: Box<dyn Stream>,
    received: Rc<Cell<u64>>,
}

impl Io {
    /// Counts the bytes that are read into `received`; with TLS those inside of it.
    pub fn new(stream: Box<dyn Stream>, received: Rc<Cell<u64>>) -> Io {
        Io { stream, received }
    }
}

impl hyper::rt::Read for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut bytes = [const { MaybeUninit::uninit() }; READ_BYTES_MAX];
        let room = cursor.remaining().min(READ_BYTES_MAX);
        let mut buffer = ReadBuf::uninit(&mut bytes[..room]);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
        cursor.put_slice(buffer.filled());
        let received = self.received.get() + buffer.filled().len() as u64;
        self.received.set(received);
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }
}
