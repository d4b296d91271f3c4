//! `wasi:sockets`, which nothing grants: no socket is made and no name looked up. All
//! that there is to it is to say so in the log; HTTP is what `allow.http` grants.

use wasmtime::component::{HasData, Linker, Resource};
use wasmtime_wasi::p2::bindings::sockets::network::{
    self, ErrorCode, IpAddress, IpAddressFamily, Network,
};
use wasmtime_wasi::p2::bindings::sockets::{ip_name_lookup, tcp_create_socket, udp_create_socket};
use wasmtime_wasi::p2::{DynPollable, SocketError, SocketResult, TcpSocket, UdpSocket};
use wasmtime_wasi::sockets::WasiSocketsCtxView;

use super::denied::{Denials, Kind};
use crate::guest::store::GuestData;

/// Stands where sockets would be made.
pub struct ClosedSockets<'a> {
    pub denials: &'a Denials,
    pub wasi: WasiSocketsCtxView<'a>,
}

impl HasData for ClosedSockets<'static> {
    type Data<'a> = ClosedSockets<'a>;
}

/// Puts these in place of those that wasmtime has. Shadowing has to be allowed.
///
/// # Errors
///
/// Where it is not.
pub fn add_to_linker(linker: &mut Linker<GuestData>) -> wasmtime::Result<()> {
    type Closed = ClosedSockets<'static>;
    tcp_create_socket::add_to_linker::<_, Closed>(linker, GuestData::closed_sockets)?;
    udp_create_socket::add_to_linker::<_, Closed>(linker, GuestData::closed_sockets)?;
    ip_name_lookup::add_to_linker::<_, Closed>(linker, GuestData::closed_sockets)
}

impl ClosedSockets<'_> {
    fn deny(&self, what: &str) -> SocketError {
        let remedy = "sinks get no sockets; requests are granted by allow.http";
        self.denials.tell(Kind::Sockets, what, remedy);
        ErrorCode::AccessDenied.into()
    }
}

impl network::Host for ClosedSockets<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        self.wasi.convert_error_code(error)
    }

    fn network_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        self.wasi.network_error_code(error)
    }
}

impl network::HostNetwork for ClosedSockets<'_> {
    fn drop(&mut self, network: Resource<Network>) -> wasmtime::Result<()> {
        network::HostNetwork::drop(&mut self.wasi, network)
    }
}

impl tcp_create_socket::Host for ClosedSockets<'_> {
    fn create_tcp_socket(&mut self, _family: IpAddressFamily) -> SocketResult<Resource<TcpSocket>> {
        Err(self.deny("a TCP socket"))
    }
}

impl udp_create_socket::Host for ClosedSockets<'_> {
    async fn create_udp_socket(
        &mut self,
        _family: IpAddressFamily,
    ) -> SocketResult<Resource<UdpSocket>> {
        Err(self.deny("a UDP socket"))
    }
}

type Stream = ip_name_lookup::ResolveAddressStream;

impl ip_name_lookup::Host for ClosedSockets<'_> {
    fn resolve_addresses(
        &mut self,
        _network: Resource<Network>,
        name: String,
    ) -> Result<Resource<Stream>, SocketError> {
        Err(self.deny(&format!("looking up {name:?}")))
    }
}

// There are no streams, so these are never called with one.
impl ip_name_lookup::HostResolveAddressStream for ClosedSockets<'_> {
    fn resolve_next_address(
        &mut self,
        stream: Resource<Stream>,
    ) -> Result<Option<IpAddress>, SocketError> {
        self.wasi.resolve_next_address(stream)
    }

    fn subscribe(&mut self, stream: Resource<Stream>) -> wasmtime::Result<Resource<DynPollable>> {
        self.wasi.subscribe(stream)
    }

    fn drop(&mut self, stream: Resource<Stream>) -> wasmtime::Result<()> {
        ip_name_lookup::HostResolveAddressStream::drop(&mut self.wasi, stream)
    }
}
