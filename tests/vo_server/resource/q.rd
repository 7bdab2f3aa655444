<resource schema="alspec" resdir=".">
  <meta name="creationDate">2026-01-01T00:00:00Z</meta>
  <meta name="title">Synthetic HARPS spectra</meta>
  <meta name="description">Synthetic spectra in the format of ESO Phase 3, for tests
    of clients. No star was ever observed for them.</meta>
  <meta name="subject">high-resolution-spectroscopy</meta>
  <meta name="creator">The astro_latent developers</meta>
  <meta name="instrument">HARPS</meta>
  <meta name="facility">ESO-3.6</meta>
  <meta name="source">2003Msngr.114...20M</meta>
  <meta name="contentLevel">Research</meta>
  <meta name="type">Archive</meta>
  <meta name="coverage.waveband">Optical</meta>
  <meta name="ssap.dataSource">artificial</meta>
  <meta name="ssap.creationType">archival</meta>
  <meta name="productType">spectrum</meta>
  <meta name="ssap.testQuery">MAXREC=1</meta>

  <table id="raw_data" onDisk="True" adql="hidden" namePath="//ssap#instance">
    <LOOP listItems="ssa_dateObs ssa_dstitle ssa_targname ssa_length ssa_specstart
      ssa_specend ssa_specres ssa_timeExt ssa_snr">
      <events><column original="\item"/></events>
    </LOOP>
    <mixin>//products#table</mixin>
    <mixin>//ssap#plainlocation</mixin>
    <mixin>//ssap#simpleCoverage</mixin>
    <FEED source="//scs#splitPosIndex" long="degrees(long(ssa_location))"
      lat="degrees(lat(ssa_location))"/>
    <column name="datalink" type="text" ucd="meta.ref.url" tablehead="Datalink"
      description="A link to a datalink document for this spectrum.">
      <property name="targetType">application/x-votable+xml;content=datalink</property>
      <property name="targetTitle">Datalink</property>
    </column>
    <column name="dp_id" type="text" ucd="meta.id" tablehead="Product"
      description="Identifier of the data product"/>
    <column name="proposal_id" type="text" ucd="meta.id" tablehead="Programme"
      description="Observing programme"/>
  </table>

  <data id="import">
    <recreateAfter>make_view</recreateAfter>
    <sources pattern="data/*.fits"/>
    <fitsProdGrammar qnd="True">
      <rowfilter procDef="//products#define">
        <bind key="table">"\schema.raw_data"</bind>
        <bind key="mime">"application/fits"</bind>
        <bind key="preview">None</bind>
      </rowfilter>
    </fitsProdGrammar>
    <make table="raw_data">
      <rowmaker idmaps="*">
        <apply procDef="//ssap#fill-plainlocation">
          <bind key="ra">float(@RA)</bind>
          <bind key="dec">float(@DEC)</bind>
          <bind key="aperture">1/3600.</bind>
        </apply>
        <map key="ssa_dateObs">(float(@MJD_OBS)+float(@MJD_END))/2</map>
        <map key="ssa_dstitle">"HARPS %s"%@OBJECT</map>
        <map key="ssa_targname">@OBJECT</map>
        <map key="ssa_length">int(@NELEM)</map>
        <map key="ssa_specstart">float(@WAVELMIN)*1e-9</map>
        <map key="ssa_specend">float(@WAVELMAX)*1e-9</map>
        <map key="ssa_specres">float(@WAVELMIN)*1e-9/float(@SPEC_RES)</map>
        <map key="ssa_timeExt">float(@EXPTIME)</map>
        <map key="ssa_snr">float(@SNR)</map>
        <map key="datalink">\dlMetaURI{sdl}</map>
        <map key="dp_id">@ARCFILE.replace(".fits", "")</map>
        <map key="proposal_id">@PROG_ID</map>
      </rowmaker>
    </make>
  </data>

  <table id="data" onDisk="True" adql="True">
    <meta name="_associatedDatalinkService">
      <meta name="serviceId">sdl</meta>
      <meta name="idColumn">ssa_pubDID</meta>
    </meta>
    <mixin sourcetable="raw_data" copiedcolumns="*"
      ssa_aperture="1/3600."
      ssa_fluxunit="'adu'"
      ssa_spectralunit="'Angstrom'"
      ssa_bandpass="'Optical'"
      ssa_collection="'HARPS'"
      ssa_fluxcalib="'UNCALIBRATED'"
      ssa_fluxucd="'phot.flux.density;em.wl'"
      ssa_speccalib="'ABSOLUTE'"
      ssa_spectralucd="'em.wl;obs.atmos'"
      ssa_targclass="'star'"
    >//ssap#view</mixin>
    <!-- t_exptime, tMin and tMax: the defaults of DaCHS 2.7 are wrong. -->
    <mixin calibLevel="2" coverage="ssa_region" oUCD="ssa_fluxucd"
      emUCD="ssa_spectralucd" collectionName="'HARPS'"
      accessURL="datalink" preview="NULL"
      mime="'application/x-votable+xml;content=datalink'"
      t_exptime="ssa_timeExt"
      tMin="ssa_dateObs-ssa_timeExt/172800." tMax="ssa_dateObs+ssa_timeExt/172800."
      dp_id="dp_id" snr="ssa_snr" proposal_id="proposal_id"
      obstech="'ECHELLE'" multi_ob="'S'" p3orig="'IDP'"
      obs_release_date="'2020-01-01T00:00:00'"
      createDIDIndex="False"
    >//obscore#publishSSAPMIXC</mixin>
  </table>

  <data id="make_view" auto="False"><make table="data"/></data>

  <coverage><updater sourceTable="data"/></coverage>

  <table id="instance" onDisk="False">
    <mixin ssaTable="data" spectralDescription="Wavelength in air"
      fluxDescription="Flux, not calibrated">//ssap#sdm-instance</mixin>
    <meta name="description">A synthetic spectrum.</meta>
    <column name="flux_error" ucd="stat.error;phot.flux.density;em.wl" unit="adu"
      description="Error of the flux"/>
  </table>

  <data id="build_spectrum" auto="False">
    <embeddedGrammar>
      <iterator>
        <setup imports="gavo.utils.pyfits, os, urllib.parse"/>
        <code>
          name = urllib.parse.unquote(
            self.sourceToken["ssa_pubDID"].split('?', 1)[-1])
          with pyfits.open(os.path.join(base.getConfig("inputsDir"), name)) as hdus:
            row = hdus[1].data[0]
            for wave, flux, error in zip(row["WAVE"], row["FLUX"], row["ERR"]):
              yield {"spectral": float(wave), "flux": float(flux),
                "flux_error": float(error)}
        </code>
      </iterator>
    </embeddedGrammar>
    <make table="instance">
      <parmaker><apply procDef="//ssap#feedSSAToSDM"/></parmaker>
    </make>
  </data>

  <service id="sdl" allowed="dlget,dlmeta">
    <meta name="title">Synthetic HARPS spectra, DataLink</meta>
    <datalinkCore>
      <descriptorGenerator procDef="//soda#sdm_genDesc">
        <bind key="ssaTD">"\rdId#data"</bind>
      </descriptorGenerator>
      <dataFunction procDef="//soda#sdm_genData">
        <bind key="builder">"\rdId#build_spectrum"</bind>
      </dataFunction>
      <FEED source="//soda#sdm_plainfluxcalib"/>
      <FEED source="//soda#sdm_cutout"/>
      <FEED source="//soda#sdm_format"/>
    </datalinkCore>
  </service>

  <service id="ssa" allowed="ssap.xml">
    <meta name="shortName">alspec SSAP</meta>
    <meta name="ssap.complianceLevel">full</meta>
    <publish render="ssap.xml" sets="ivo_managed"/>
    <ssapCore queriedTable="data">
      <FEED source="//ssap#hcd_condDescs"/>
    </ssapCore>
  </service>

  <table id="stars" onDisk="True" adql="True" mixin="//scs#pgs-pos-index">
    <meta name="title">Labels of the synthetic stars</meta>
    <primary>source_id</primary>
    <stc>Position ICRS Epoch J2016.0 "ra" "dec"</stc>
    <column name="source_id" type="bigint" required="True" ucd="meta.id;meta.main"
      description="Identifier"/>
    <column name="ra" type="double precision" unit="deg" ucd="pos.eq.ra;meta.main"
      description="Right ascension"/>
    <column name="dec" type="double precision" unit="deg" ucd="pos.eq.dec;meta.main"
      description="Declination"/>
    <column name="teff" type="real" unit="K" ucd="phys.temperature.effective"
      description="Effective temperature"/>
    <column name="name" type="text" ucd="meta.id" description="Name"/>
  </table>

  <data id="import_stars">
    <sources>stars.csv</sources>
    <csvGrammar/>
    <make table="stars"><rowmaker idmaps="*"/></make>
  </data>

  <service id="cone" allowed="scs.xml">
    <meta name="title">Labels of the synthetic stars, cone search</meta>
    <meta name="shortName">alspec cone</meta>
    <meta name="testQuery">
      <meta name="ra">219.9</meta>
      <meta name="dec">-60.83</meta>
      <meta name="sr">1</meta>
    </meta>
    <publish render="scs.xml" sets="ivo_managed"/>
    <scsCore queriedTable="stars"><FEED source="//scs#coreDescs"/></scsCore>
  </service>
</resource>
